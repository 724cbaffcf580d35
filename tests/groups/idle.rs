//! A group in which nothing happens: the coordinator's pulse takes the place of the members' heartbeats.

use super::*;
use headwater::node::Signal;

fn is_news(message: &GroupMessage) -> bool {
    matches!(message, GroupMessage::Signal(Signal::News, ..))
}

#[test]
fn an_idle_group_sends_pulses_and_hardly_a_word_of_its_members() {
    let mut world = group(10, 10);
    world.pass(60_000);
    let before = world.sent;
    world.pass(60_000);
    let messages = world.sent - before;
    // A pulse each 3 s, and each of nine members that it is there at least every 20 s. Beside them a heartbeat a minute,
    // which looks at the topics, and what asked for it.
    assert!(messages <= 20 + 9 * 4 + 3, "{messages} messages a minute for ten members of 3 s");
}

#[test]
fn members_that_say_little_are_never_asked_whether_they_are_there() {
    let mut world = group(10, 10);
    world.loses = Some(|message| {
        assert!(!matches!(message, GroupMessage::Signal(Signal::Ping, ..)), "somebody is asked");
        false
    });
    world.pass(600_000);
    assert_eq!(shares(&mut world, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), [1; 10]);
}

#[test]
fn a_group_in_one_tab_says_nothing() {
    let mut world = group(1, 1);
    let before = world.sent;
    world.pass(600_000);
    assert_eq!((world.sent - before, world.owned(0).len()), (0, 1));
}

#[test]
fn news_that_got_lost_are_told_again_with_the_next_pulse() {
    let mut world = group(3, 3);
    world.loses = Some(is_news);
    let leave = world.call(2, Call::Leave(CONSUMER));
    assert!(world.answer(2, leave).is_ok());
    world.loses = None;
    world.pass(6_000);
    assert_eq!(shares(&mut world, &[0, 1]).iter().sum::<usize>(), 3);
}

#[test]
fn a_topic_that_grew_is_looked_at_although_nobody_was_told() {
    let mut world = group(2, 2);
    // The member that is told is another node's.
    world.handle(0, Input::Page(PageEvent::Hidden));
    world.pass(10_000);
    world.loses = Some(is_news);
    let grown = Call::CreatePartitions { name: "t".into(), total: 4, validate_only: false };
    world.ask(0, grown).unwrap();
    world.pass(1_000);
    world.loses = None;
    world.pass(6_000);
    assert_eq!(shares(&mut world, &[0, 1]), [2, 2]);
}

#[test]
fn a_member_that_was_put_out_unheard_hears_it_by_the_next_pulse() {
    let mut world = group(3, 3);
    world.tabs[2].frozen = true;
    world.pass(40_000);
    assert_eq!(world.group().state.members.len(), 2);
    // Nothing of what was said meanwhile reaches it.
    world.tabs[2].forget_backlog();
    world.thaw(2);
    world.pass(7_000);
    assert!(world.kinds(2).contains(&RebalanceKind::Lost));
    assert_eq!(shares(&mut world, &[0, 1, 2]), [1, 1, 1]);
}

#[test]
fn a_quiet_partition_is_looked_at_twice_a_minute_and_sooner_after_a_record() {
    let mut world = group(2, 4);
    let looks = |world: &mut Tabs, ms: u64| {
        let before = world.stored;
        world.pass(ms);
        world.stored - before
    };
    let fetch = world.call(1, Call::Fetch(CONSUMER, FetchLimits::up_to(1 << 20)));
    world.pass(60_000);
    let stored = looks(&mut world, 60_000);
    assert!(
        (2..=3).contains(&stored),
        "{stored} transactions a minute for two partitions, and one of the topics"
    );
    world.loses_notices = true;
    let partition = world.owned(1)[0];
    world.send(0, "t", partition, "a");
    world.pass(30_000);
    assert_eq!(world.fetched(1, fetch), ["a"], "the notice was lost");
    let fetch = world.call(1, Call::Fetch(CONSUMER, FetchLimits::up_to(1 << 20)));
    world.send(0, "t", partition, "b");
    world.pass(5_000);
    assert_eq!(world.fetched(1, fetch), ["b"]);
}
