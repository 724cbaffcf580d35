//! The client's side of one member: it heartbeats whether the application polls or not, and walks the application from
//! one assignment to the next, one step at a time.

mod answer;
mod machine;
mod pulse;
mod steps;

pub use machine::{Member, MemberEvent, MemberOptions, MemberOutput, Membership};
pub use pulse::Pulsed;
