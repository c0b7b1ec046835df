//! What must never happen, and what must be possible.

use stateright::Property;

use super::*;

/// What must never happen.
pub(super) const FAULTS: [(Fault, &str); 3] = [
    (Fault::Overlap, "one works at a time"),
    (Fault::Token, "tokens grow"),
    (Fault::TakeOver, "only what stood still is taken over"),
];

pub(super) fn properties() -> Vec<Property<Fleet>> {
    vec![
        Property::always(FAULTS[0].1, |_, state: &State| {
            state.fault != Some(FAULTS[0].0)
        }),
        Property::always(FAULTS[1].1, |_, state: &State| {
            state.fault != Some(FAULTS[1].0)
        }),
        Property::always(FAULTS[2].1, |_, state: &State| {
            state.fault != Some(FAULTS[2].0)
        }),
        Property::sometimes("a works", |_, state| works(state, 0)),
        Property::sometimes("b works", |_, state| works(state, 1)),
        Property::sometimes("a takes over", |_, state| replaces(state, 0, Some("b"))),
        Property::sometimes("b takes over", |_, state| replaces(state, 1, Some("a"))),
        Property::sometimes("a follows a crash", |_, state: &State| {
            !state.processes[1].alive && replaces(state, 0, Some("b"))
        }),
        Property::sometimes("b follows a crash", |_, state: &State| {
            !state.processes[0].alive && replaces(state, 1, Some("a"))
        }),
        Property::sometimes("a new process follows", |_, state: &State| {
            let restarted = state.processes[0].incarnation > 1;
            restarted && replaces(state, 0, Some("b"))
        }),
        Property::sometimes("a takes what is free", |_, state| replaces(state, 0, None)),
        Property::sometimes("b takes what is free", |_, state| replaces(state, 1, None)),
        Property::sometimes("made anew", |_, state: &State| {
            state.setup.deletes > state.deletes && state.server.record.is_some()
        }),
        Property::sometimes("a late request arrives in time", |_, state: &State| {
            let mut late = state.late.iter();
            late.any(|request| state.server.may_take(request, 0))
        }),
    ]
}

fn works(state: &State, who: usize) -> bool {
    state.processes[who].working(state.now(who)).is_some()
}

/// Whether a request is on its way that replaces what `holder` has, and will succeed if nothing comes before it.
fn replaces(state: &State, who: usize, holder: Option<&str>) -> bool {
    let Some(Flight {
        request: Request::Replace { version, .. },
        ..
    }) = state.processes[who].sent()
    else {
        return false;
    };
    let record = state.server.record.as_ref();
    let replaced = record.filter(|record| record.version == *version);
    let own = &*state.setup.identity(who, 1).peer;
    replaced.is_some_and(|record| record.holder.as_deref() == holder && holder != Some(own))
}
