//! The client's side of one member, event by event.

use headwater::base::{Code, Error, Now};
use headwater::group::{
    Client, HeartbeatRequest, HeartbeatResponse, LEAVE_EPOCH, Member, MemberEvent, MemberOptions,
    MemberOutput, Membership, Partitions, STATIC_LEAVE_EPOCH,
};

use crate::rig::{GROUP, set};

pub struct Play {
    pub member: Member,
    pub now: Now,
}

pub fn options() -> MemberOptions {
    MemberOptions {
        group: GROUP.into(),
        instance: None,
        topics: vec!["t".into()],
        assignors: vec!["uniform".into()],
        session_timeout_ms: 30_000,
        heartbeat_interval_ms: -1,
        rebalance_timeout_ms: 60_000,
        max_poll_interval_ms: -1,
        client: Client { id: "app".into(), ..Client::default() },
    }
}

impl Play {
    fn new(options: MemberOptions) -> Self {
        Self { member: Member::new(options, 1), now: Now { instant: 1_000, timestamp: 0 } }
    }

    /// Lets it happen; answers what is to be done.
    pub fn on(&mut self, event: MemberEvent) -> Vec<MemberOutput> {
        self.member.handle(self.now, event);
        std::iter::from_fn(|| self.member.poll()).collect()
    }

    /// Lets it happen; answers the one heartbeat that is to be sent.
    pub fn sends(&mut self, event: MemberEvent) -> HeartbeatRequest {
        request(&self.on(event))
    }

    /// The coordinator answers the last heartbeat.
    pub fn answer(
        &mut self,
        request: &HeartbeatRequest,
        epoch: i32,
        assignment: Option<Partitions>,
    ) -> Vec<MemberOutput> {
        let member = request.member.clone();
        let response = HeartbeatResponse { member, epoch, heartbeat_interval_ms: 5_000, assignment };
        self.on(MemberEvent::Answer(request.correlation, Ok(response)))
    }

    fn refuse(&mut self, request: &HeartbeatRequest, code: Code) -> Vec<MemberOutput> {
        self.on(MemberEvent::Answer(request.correlation, Err(Error::new(code, "no"))))
    }

    /// Goes on until the next deadline.
    pub fn wait(&mut self) -> Vec<MemberOutput> {
        self.now.instant = self.member.deadline().unwrap();
        self.on(MemberEvent::Tick)
    }

    /// A member that has joined and has these.
    pub fn joined(options: MemberOptions, assignment: Partitions) -> Self {
        let mut play = Self::new(options);
        let join = play.sends(MemberEvent::Join);
        assert_eq!(play.answer(&join, 1, Some(assignment.clone())), [MemberOutput::Assign(assignment)]);
        let acknowledges = play.sends(MemberEvent::Acknowledged);
        assert!(play.answer(&acknowledges, 1, None).is_empty());
        assert_eq!(play.member.state(), Membership::Stable);
        play
    }
}

pub fn request(outputs: &[MemberOutput]) -> HeartbeatRequest {
    match outputs {
        [MemberOutput::Send(request)] => request.clone(),
        other => panic!("one heartbeat, not {other:?}"),
    }
}

#[test]
fn the_first_heartbeat_says_everything() {
    let mut play = Play::new(options());
    let join = play.sends(MemberEvent::Join);
    let uuid: Vec<usize> = join.member.strip_prefix("app-").unwrap().split('-').map(str::len).collect();
    assert_eq!(uuid, [8, 4, 4, 4, 12], "{}", join.member);
    assert_eq!((join.epoch, join.rebalance_timeout_ms, join.session_timeout_ms), (0, 60_000, 30_000));
    assert_eq!((join.topics, join.owned), (Some(vec!["t".into()]), Some(Partitions::new())));
    assert!(join.assignors.is_some() && join.client.is_some());
    assert_eq!(play.member.state(), Membership::Joining);
}

#[test]
fn the_first_assignment_is_told_even_if_it_is_empty() {
    let mut play = Play::new(options());
    let join = play.sends(MemberEvent::Join);
    assert_eq!(play.answer(&join, 1, Some(Partitions::new())), [MemberOutput::Assign(Partitions::new())]);
}

#[test]
fn an_assignment_is_acknowledged_at_once_and_later_heartbeats_are_short() {
    let mut play = Play::new(options());
    let join = play.sends(MemberEvent::Join);
    play.answer(&join, 1, Some(set("t", 0..2)));
    assert_eq!(play.member.state(), Membership::Reconciling);
    let acknowledges = play.sends(MemberEvent::Acknowledged);
    assert_eq!(acknowledges.owned, Some(set("t", 0..2)));
    assert_eq!(play.member.state(), Membership::Acknowledging);
    play.answer(&acknowledges, 1, None);
    assert_eq!(play.member.deadline(), Some(play.now.instant + 5_000));
    let beat = request(&play.wait());
    let short = HeartbeatRequest {
        group: GROUP.into(),
        member: join.member,
        correlation: 3,
        epoch: 1,
        rebalance_timeout_ms: -1,
        session_timeout_ms: -1,
        ..HeartbeatRequest::default()
    };
    assert_eq!(beat, short);
}

#[test]
fn heartbeats_go_on_while_the_application_gives_up_partitions() {
    let mut play = Play::joined(options(), set("t", 0..4));
    let beat = request(&play.wait());
    assert_eq!(play.answer(&beat, 1, Some(set("t", 0..2))), [MemberOutput::Revoke(set("t", 2..4))]);
    for _ in 0..10 {
        let beat = request(&play.wait());
        assert_eq!(beat.owned, None, "nothing is acknowledged yet");
        assert!(play.answer(&beat, 1, None).is_empty());
    }
    assert_eq!(play.member.assignment(), &set("t", 0..4));
    assert_eq!(play.on(MemberEvent::Acknowledged), [MemberOutput::Assign(Partitions::new())]);
    let acknowledges = play.sends(MemberEvent::Acknowledged);
    assert_eq!(acknowledges.owned, Some(set("t", 0..2)));
}

#[test]
fn a_new_coordinator_is_told_everything_at_once() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let full = play.sends(MemberEvent::CoordinatorChanged);
    assert_eq!((full.epoch, full.owned), (1, Some(set("t", 0..2))));
}

#[test]
fn a_target_that_comes_while_the_application_is_busy_is_next() {
    let mut play = Play::joined(options(), set("t", 0..4));
    let beat = request(&play.wait());
    play.answer(&beat, 1, Some(set("t", 0..2)));
    let beat = request(&play.wait());
    assert!(play.answer(&beat, 1, Some(set("t", 1..3))).is_empty(), "one step at a time");
    assert_eq!(play.on(MemberEvent::Acknowledged), [MemberOutput::Revoke(set("t", 0..1))]);
    assert_eq!(play.on(MemberEvent::Acknowledged), [MemberOutput::Assign(set("t", 2..3))]);
    assert_eq!(play.sends(MemberEvent::Acknowledged).owned, Some(set("t", 1..3)));
}

#[test]
fn a_member_that_the_group_does_not_know_joins_as_another_once_its_application_knows() {
    for code in [Code::UnknownMemberId, Code::GroupIdNotFound] {
        let mut play = Play::joined(options(), set("t", 0..2));
        let beat = request(&play.wait());
        assert_eq!(play.refuse(&beat, code), [MemberOutput::Lost(set("t", 0..2))]);
        assert_eq!((play.member.state(), play.member.deadline()), (Membership::Fenced, None));
        assert!(play.member.assignment().is_empty());
        let join = play.sends(MemberEvent::Acknowledged);
        assert_eq!(join.epoch, 0);
        assert_ne!(join.member, beat.member);
    }
}

#[test]
fn a_fenced_member_leaves_before_it_joins_as_another() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let beat = request(&play.wait());
    let outputs = play.refuse(&beat, Code::FencedMemberEpoch);
    let [MemberOutput::Send(leave), MemberOutput::Lost(lost)] = outputs.as_slice() else {
        panic!("{outputs:?}")
    };
    assert_eq!((leave.epoch, &leave.member, lost), (LEAVE_EPOCH, &beat.member, &set("t", 0..2)));
    assert!(play.on(MemberEvent::Acknowledged).is_empty(), "the leave is on its way");
    let join = request(&play.refuse(leave, Code::UnknownMemberId));
    assert_eq!(join.epoch, 0);
    assert_ne!(join.member, beat.member);
}

#[test]
fn a_member_that_was_fenced_while_it_gave_up_loses_only_the_rest() {
    let mut play = Play::joined(options(), set("t", 0..4));
    let beat = request(&play.wait());
    play.answer(&beat, 1, Some(set("t", 0..2)));
    let beat = request(&play.wait());
    assert!(play.refuse(&beat, Code::UnknownMemberId).is_empty(), "one step at a time");
    assert_eq!(play.on(MemberEvent::Acknowledged), [MemberOutput::Lost(set("t", 0..2))]);
}

#[test]
fn an_unavailable_coordinator_is_asked_again_and_nothing_is_lost() {
    for code in [Code::NotCoordinator, Code::CoordinatorNotAvailable, Code::CoordinatorLoadInProgress] {
        let mut play = Play::joined(options(), set("t", 0..2));
        let beat = request(&play.wait());
        assert!(play.refuse(&beat, code).is_empty());
        let pause = play.member.deadline().unwrap() - play.now.instant;
        assert!((1..=1_000).contains(&pause), "{pause} ms");
        assert_eq!(request(&play.wait()).owned, Some(set("t", 0..2)));
    }
}

#[test]
fn an_assignor_that_fails_costs_a_joining_member_its_place_but_no_other() {
    let mut play = Play::new(options());
    let join = play.sends(MemberEvent::Join);
    let outputs = play.refuse(&join, Code::UnknownServerError);
    assert!(matches!(outputs.as_slice(), [MemberOutput::Fatal(_)]), "{outputs:?}");

    let mut play = Play::joined(options(), set("t", 0..2));
    let beat = request(&play.wait());
    let outputs = play.refuse(&beat, Code::UnknownServerError);
    assert!(matches!(outputs.as_slice(), [MemberOutput::Failed(_)]), "{outputs:?}");
    assert_eq!(play.member.assignment(), &set("t", 0..2));
    assert_eq!(play.member.deadline(), Some(play.now.instant + 5_000));
}

#[test]
fn what_no_retry_can_mend_is_fatal() {
    for code in
        [Code::FencedInstanceId, Code::UnsupportedAssignor, Code::GroupMaxSizeReached, Code::InvalidRequest]
    {
        let mut play = Play::joined(options(), set("t", 0..2));
        let beat = request(&play.wait());
        let outputs = play.refuse(&beat, code);
        let [MemberOutput::Lost(lost), MemberOutput::Fatal(error)] = outputs.as_slice() else {
            panic!("{outputs:?}")
        };
        assert_eq!((lost, error.code()), (&set("t", 0..2), code));
        assert_eq!((play.member.state(), play.member.deadline()), (Membership::Fatal, None));
        assert!(play.on(MemberEvent::Acknowledged).is_empty());
    }
}

#[test]
fn an_application_that_does_not_poll_leaves_and_comes_back_with_its_next_poll() {
    let mut play = Play::joined(MemberOptions { max_poll_interval_ms: 4_000, ..options() }, set("t", 0..2));
    play.now.instant += 1_000;
    play.on(MemberEvent::Polled);
    play.now.instant += 4_000;
    let outputs = play.on(MemberEvent::Tick);
    let [MemberOutput::Send(leave), MemberOutput::Lost(_)] = outputs.as_slice() else {
        panic!("{outputs:?}")
    };
    assert_eq!((leave.epoch, play.member.state()), (LEAVE_EPOCH, Membership::Stale));
    play.answer(leave, LEAVE_EPOCH, None);
    assert!(play.on(MemberEvent::Acknowledged).is_empty() && play.member.deadline().is_none());
    assert_eq!(play.sends(MemberEvent::Polled).epoch, 0);
}

#[test]
fn a_member_that_leaves_gives_up_first_and_says_so_once() {
    let mut play = Play::joined(options(), set("t", 0..2));
    assert_eq!(play.on(MemberEvent::Leave), [MemberOutput::Revoke(set("t", 0..2))]);
    let beat = request(&play.wait());
    assert!(play.answer(&beat, 2, Some(set("t", 0..1))).is_empty(), "no new assignment counts");
    let leave = play.sends(MemberEvent::Acknowledged);
    assert_eq!((leave.epoch, play.member.state()), (LEAVE_EPOCH, Membership::Leaving));
    assert!(play.wait().is_empty(), "it is not repeated");
    assert_eq!((play.member.state(), play.member.deadline()), (Membership::Unsubscribed, None));
}

#[test]
fn a_page_that_is_frozen_has_left_and_comes_back_as_another_member() {
    for (instance, epoch) in [(None, LEAVE_EPOCH), (Some("i".to_owned()), STATIC_LEAVE_EPOCH)] {
        let mut play = Play::joined(MemberOptions { instance, ..options() }, set("t", 0..2));
        let id = play.member.id().to_owned();
        let outputs = play.on(MemberEvent::Suspend);
        let [MemberOutput::Send(leave), MemberOutput::Lost(_)] = outputs.as_slice() else {
            panic!("{outputs:?}")
        };
        assert_eq!((leave.epoch, &leave.member), (epoch, &id));
        play.now.instant += 600_000;
        assert!(play.on(MemberEvent::Resume).is_empty(), "the application does not know yet");
        play.on(MemberEvent::Acknowledged);
        let join = request(&play.wait());
        assert_eq!((join.epoch, join.member != id), (0, true));
    }
}

#[test]
fn other_topics_are_told_at_once() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let beat = play.sends(MemberEvent::Subscribe(vec!["u".into()]));
    assert_eq!((beat.topics, beat.owned), (Some(vec!["u".into()]), None));
}

#[test]
fn topics_that_change_while_an_answer_is_waited_for_are_told_after_it() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let beat = request(&play.wait());
    assert!(play.on(MemberEvent::Subscribe(vec!["u".into()])).is_empty());
    assert_eq!(request(&play.answer(&beat, 1, None)).topics, Some(vec!["u".into()]));
}

#[test]
fn being_hidden_is_told_at_once_where_it_matters() {
    let mut play = Play::joined(options(), set("t", 0..2));
    assert!(play.on(MemberEvent::Visible(true)).is_empty());
    assert!(request(&play.wait()).client.is_some_and(|client| client.visible));
    let client = Client { prefer_visible: true, ..Client::default() };
    let mut play = Play::joined(MemberOptions { client, ..options() }, set("t", 0..2));
    assert!(play.sends(MemberEvent::Visible(true)).client.is_some_and(|client| client.visible));
}

#[test]
fn a_static_member_whose_answer_was_lost_frees_its_own_place() {
    let mut play = Play::new(MemberOptions { instance: Some("i".into()), ..options() });
    let first = play.sends(MemberEvent::Join);
    play.wait();
    let second = request(&play.wait());
    let leave = request(&play.refuse(&second, Code::UnreleasedInstanceId));
    assert_eq!((leave.epoch, &leave.member), (STATIC_LEAVE_EPOCH, &first.member));
    let join = request(&play.answer(&leave, STATIC_LEAVE_EPOCH, None));
    assert_eq!((join.epoch, join.member != first.member), (0, true));
}

#[test]
fn news_are_fetched_at_once() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let beat = play.sends(MemberEvent::News);
    assert!(play.on(MemberEvent::News).is_empty(), "a heartbeat is on its way");
    assert!(play.answer(&beat, 1, None).is_empty());
}

#[test]
fn heartbeats_do_not_depend_on_polls() {
    let mut play = Play::joined(options(), set("t", 0..2));
    for _ in 0..100 {
        let beat = request(&play.wait());
        assert!(play.answer(&beat, 1, None).is_empty());
    }
    assert_eq!(play.member.state(), Membership::Stable);
}

#[test]
fn what_it_had_before_is_told_again_to_a_member_that_joins_anew() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let beat = request(&play.wait());
    play.refuse(&beat, Code::UnknownMemberId);
    let join = play.sends(MemberEvent::Acknowledged);
    assert_eq!(play.answer(&join, 5, Some(set("t", 0..2))), [MemberOutput::Assign(set("t", 0..2))]);
}

#[test]
fn a_member_that_is_fenced_while_it_leaves_does_not_come_back() {
    let mut play = Play::joined(options(), set("t", 0..2));
    play.on(MemberEvent::Leave);
    let beat = request(&play.wait());
    assert!(play.refuse(&beat, Code::UnknownMemberId).is_empty());
    assert_eq!(play.on(MemberEvent::Acknowledged), []);
    assert_eq!(play.member.state(), Membership::Unsubscribed);
}

#[test]
fn a_member_that_leaves_twice_leaves_once() {
    let mut play = Play::joined(options(), Partitions::new());
    let leave = play.sends(MemberEvent::Leave);
    assert!(play.on(MemberEvent::Leave).is_empty());
    assert_eq!(play.member.state(), Membership::Leaving);
    play.answer(&leave, LEAVE_EPOCH, None);
    assert_eq!(play.member.state(), Membership::Unsubscribed);
}

#[test]
fn a_page_that_is_frozen_while_its_member_was_fenced_joins_when_it_is_back() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let beat = request(&play.wait());
    play.refuse(&beat, Code::UnknownMemberId);
    assert!(play.on(MemberEvent::Suspend).is_empty());
    assert!(play.on(MemberEvent::Acknowledged).is_empty(), "it is frozen");
    assert_eq!(play.sends(MemberEvent::Resume).epoch, 0);
}

#[test]
fn pauses_between_attempts_begin_anew_after_a_success() {
    let mut play = Play::joined(options(), set("t", 0..2));
    let pause = |play: &mut Play| {
        let beat = request(&play.wait());
        play.refuse(&beat, Code::NotCoordinator);
        play.member.deadline().unwrap() - play.now.instant
    };
    let (first, second) = (pause(&mut play), pause(&mut play));
    assert!(second > first, "{second} > {first}");
    let beat = request(&play.wait());
    play.answer(&beat, 1, None);
    assert_eq!(pause(&mut play), first);
}

#[test]
fn it_is_stable_only_once_the_coordinator_knows() {
    let mut play = Play::joined(options(), set("t", 0..4));
    let beat = request(&play.wait());
    play.answer(&beat, 1, Some(set("t", 0..2)));
    play.on(MemberEvent::Acknowledged);
    let beat = request(&play.wait());
    assert!(play.on(MemberEvent::Acknowledged).is_empty(), "a heartbeat is on its way");
    let acknowledges = request(&play.answer(&beat, 1, None));
    assert_eq!(
        (acknowledges.owned.clone(), play.member.state()),
        (Some(set("t", 0..2)), Membership::Acknowledging)
    );
    play.answer(&acknowledges, 2, None);
    assert_eq!(play.member.state(), Membership::Stable);
}

#[test]
fn a_member_that_comes_back_has_its_whole_time_to_poll() {
    let mut play =
        Play::joined(MemberOptions { max_poll_interval_ms: 4_000, ..options() }, Partitions::new());
    let leave = play.sends(MemberEvent::Leave);
    play.answer(&leave, LEAVE_EPOCH, None);
    play.now.instant += 100_000;
    play.sends(MemberEvent::Join);
    assert!(play.on(MemberEvent::Tick).is_empty());
    assert_eq!(play.member.state(), Membership::Joining);
}

#[test]
fn an_instance_id_that_is_still_held_is_told_once_and_asked_for_until_its_holder_must_be_dead() {
    let mut play = Play::new(MemberOptions { instance: Some("i".into()), ..options() });
    let mut join = play.sends(MemberEvent::Join);
    let (mut told, mut fatal) = (0, 0);
    while fatal == 0 {
        for output in play.refuse(&join, Code::UnreleasedInstanceId) {
            told += usize::from(matches!(output, MemberOutput::Failed(_)));
            fatal += usize::from(matches!(output, MemberOutput::Fatal(_)));
        }
        if fatal == 0 {
            join = request(&play.wait());
        }
    }
    assert_eq!(told, 1);
    assert!(
        (50_000..56_000).contains(&play.now.instant),
        "Kafka's session timeout, though its own is shorter"
    );
}
