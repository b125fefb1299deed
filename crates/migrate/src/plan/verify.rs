//! A runbook, played through.

use std::collections::BTreeMap;

use super::{Action, Plan, PlanError};
use crate::node::Node;

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Fernet,
    Flipped,
    Restarted,
    Checked,
}

struct State {
    serves: bool,
    stage: Stage,
}

/// What is refused here, whoever wrote the steps: see [`PlanError`].
pub(super) fn steps(plan: &Plan) -> Result<(), PlanError> {
    let fresh = || State {
        serves: true,
        stage: Stage::Fernet,
    };
    let mut states: BTreeMap<&Node, State> = plan.nodes.iter().map(|node| (node, fresh())).collect();
    for (number, step) in (1..).zip(&plan.steps) {
        play(number, &step.action, &mut states)?;
        let serving: Vec<&State> = states.values().filter(|state| state.serves).collect();
        let needed = plan.needed.max(1);
        if serving.len() < needed {
            return Err(PlanError::TooFewServe {
                step: number,
                serving: serving.len(),
                needed,
            });
        }
        let unflipped = serving
            .iter()
            .filter(|state| state.stage == Stage::Fernet)
            .count();
        if !plan.bridged && unflipped != 0 && unflipped != serving.len() {
            return Err(PlanError::Mixed(number));
        }
    }
    let undone = states.iter().find(|(_node, state)| !is_done(state));
    undone.map_or(Ok(()), |(node, _state)| {
        Err(PlanError::Unfinished((*node).clone()))
    })
}

fn is_done(state: &State) -> bool {
    state.serves && state.stage == Stage::Checked
}

fn play(step: usize, action: &Action, states: &mut BTreeMap<&Node, State>) -> Result<(), PlanError> {
    match action {
        Action::Look => Ok(()),
        Action::Drain(node) => drain(step, node, states),
        Action::Add(node) => add(step, node, states),
        Action::Switch {
            add: these,
            drain: those,
        } => {
            these.iter().try_for_each(|node| add(step, node, states))?;
            those.iter().try_for_each(|node| drain(step, node, states))
        }
        Action::Flip(node) => change(step, node, states, Stage::Fernet, Stage::Flipped),
        Action::Restart(node) => change(step, node, states, Stage::Flipped, Stage::Restarted),
        Action::Check(node) => change(step, node, states, Stage::Restarted, Stage::Checked),
        Action::Retire => {
            let fault = "Fernet keys go before every node serves JWS tokens";
            let all = states.values().all(is_done);
            all.then_some(()).ok_or(PlanError::Order { step, fault })
        }
    }
}

fn find<'a>(
    step: usize,
    node: &Node,
    states: &'a mut BTreeMap<&Node, State>,
) -> Result<&'a mut State, PlanError> {
    let fault = "a node that is not among the plan's";
    states.get_mut(node).ok_or(PlanError::Order { step, fault })
}

fn drain(step: usize, node: &Node, states: &mut BTreeMap<&Node, State>) -> Result<(), PlanError> {
    let state = find(step, node, states)?;
    if !state.serves {
        let fault = "it drains a node that does not serve";
        return Err(PlanError::Order { step, fault });
    }
    state.serves = false;
    Ok(())
}

fn add(step: usize, node: &Node, states: &mut BTreeMap<&Node, State>) -> Result<(), PlanError> {
    let state = find(step, node, states)?;
    if state.serves {
        let fault = "it adds a node that serves already";
        return Err(PlanError::Order { step, fault });
    }
    if !matches!(state.stage, Stage::Fernet | Stage::Checked) {
        return Err(PlanError::Unchecked {
            step,
            node: node.clone(),
        });
    }
    state.serves = true;
    Ok(())
}

fn change(
    step: usize,
    node: &Node,
    states: &mut BTreeMap<&Node, State>,
    from: Stage,
    to: Stage,
) -> Result<(), PlanError> {
    let state = find(step, node, states)?;
    if state.serves {
        return Err(PlanError::StillServes {
            step,
            node: node.clone(),
        });
    }
    if state.stage != from {
        let fault = "flip, restart and check come in this order, each once";
        return Err(PlanError::Order { step, fault });
    }
    state.stage = to;
    Ok(())
}
