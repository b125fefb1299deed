//! Passwords turned off, on again, and taken away.
//!
//! "Off" is a rule of the account: `multi_factor_auth_rules: [["application_credential"]]`. A password alone satisfies
//! no rule then, right or wrong; application credentials, EC2 keys and what we mint go on. The password itself stays in
//! Keystone, so that the way back needs nobody to know it.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use sealstone_audit::{Action, Reason, Target};
use sealstone_identity::UserId;
use sealstone_keystone::{KeystoneSession, Label, PasswordChange, User, UserOptions, UserUpdate};
use serde_json::Value;

use super::{
    PasswordArguments, RemoveArguments, RestoreArguments,
    evidence::{Evidence, Readiness},
    operator,
};
use crate::{
    audit::{Change, Trail},
    clock,
    failure::{Failure, Outcome},
    keystone::{
        inventory::password_is_off,
        journal::{Absent, AccountRecord, Journal, PasswordState, Rules},
        logins::moment,
    },
    openstack::Operator,
    output,
    store::Places,
};

/// The only way to log in that the rule leaves.
const ONLY: &str = "application_credential";

/// What every step needs.
struct Hand {
    session: KeystoneSession,
    trail: Trail,
    journal: Journal,
}

impl Hand {
    fn of(places: &Places, operator: &Operator, path: &std::path::Path) -> Outcome<Self> {
        Ok(Self {
            session: operator.session(),
            trail: places.trail()?,
            journal: Journal::open(path, operator.keystone().url(), Absent::IsAFault)?,
        })
    }

    fn change<'a>(&'a self, id: &'a str) -> Change<'a> {
        self.trail.change(Action::UpdateUser, Target::User(id.into()))
    }

    /// Changes the user, and reads it again.
    async fn update(&self, id: &str, update: &UserUpdate) -> Outcome<User> {
        let user_id = UserId::parse(id)?;
        let refused = Reason::new(503, "keystone");
        let changed = self.session.update_user(&user_id, update).await;
        let _answer = changed.map_err(|error| self.change(id).refused(refused, error.into()))?;
        Ok(self.session.user(&user_id).await?)
    }

    fn put(&mut self, id: &str, record: &mut AccountRecord, state: PasswordState) -> Outcome {
        record.password = state;
        self.journal.put(id, record.clone())
    }
}

/// Says how each ended; one that failed does not keep the others from their turn.
#[derive(Default)]
struct Tally {
    done: usize,
    failed: usize,
}

impl Tally {
    fn count(&mut self, name: &str, outcome: Outcome<&str>) {
        match outcome {
            Ok(said) => {
                self.done = self.done.saturating_add(1);
                output::note(&format!("{name}: {said}"));
            }
            Err(failure) => {
                self.failed = self.failed.saturating_add(1);
                output::note(&format!("{name}: not done: {failure}"));
            }
        }
    }

    fn end(&self) -> Outcome {
        if self.failed == 0 {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "{} done, {} not: the lines above say why; run the same command again when it is mended",
            self.done, self.failed
        )))
    }
}

pub(super) async fn disable(arguments: PasswordArguments) -> Outcome {
    let places = arguments.store.places()?;
    // In this order: an operator's own password is in the logs by then, so that they are seen to be of now.
    let operator = operator(&places).await?;
    let evidence = Evidence::read(&arguments.evidence, places.audit_file())?;
    let mut hand = Hand::of(&places, &operator, &arguments.journal.journal)?;
    let (mut ready, mut tally) = (Vec::new(), Tally::default());
    for (id, record) in arguments.whom.of(&hand.journal)? {
        if id == operator.user_id().as_str() {
            let failure =
                "that is you: you could not log in any more, not even for the way back. Be somebody else";
            tally.count(&record.name, Err(Failure::failed(failure)));
            continue;
        }
        match &record.password {
            PasswordState::Off { .. } | PasswordState::Removing { .. } | PasswordState::Removed { .. } => {
                output::note(&format!("{}: {} already", record.name, record.password.as_str()));
                continue;
            }
            PasswordState::On | PasswordState::Restored { .. } | PasswordState::TurningOff { .. } => {}
        }
        match evidence.readiness(&id, &record, clock::now()) {
            Readiness::Ready => ready.push((id, record)),
            Readiness::Not(why) if arguments.without_evidence => {
                output::note(&format!("{}: without evidence: {why}", record.name));
                ready.push((id, record));
            }
            Readiness::Not(why) => tally.count(&record.name, Err(Failure::failed(why))),
        }
    }
    if ready.is_empty() {
        return tally.end();
    }
    if !operator.keystone().takes_application_credentials().await? {
        return Err(Failure::failed(
            "this Keystone has no `application_credential` in `[auth] methods`, and ignores rules that name no method \
             of it: add it there, or passwords stay good whatever the rule",
        ));
    }
    let names: Vec<&str> = ready.iter().map(|(_, record)| record.name.as_str()).collect();
    let question = format!(
        "Passwords will be refused of: {}. Tokens that were got by them end by themselves; trusts that these accounts \
         use by password stop. `restore-passwords` is the way back.",
        names.join(", ")
    );
    if !arguments.consent.given(&question)? {
        return Ok(());
    }
    for (id, mut record) in ready {
        let outcome = turn_off(&mut hand, &id, &mut record).await;
        tally.count(&record.name, outcome);
    }
    tally.end()
}

async fn turn_off(hand: &mut Hand, id: &str, record: &mut AccountRecord) -> Outcome<&'static str> {
    let now = || clock::date(clock::now());
    let user = hand.session.user(&UserId::parse(id)?).await?;
    // A stopped run wrote down how it was; what is there now may be ours.
    let before = match record.password.before() {
        Some(before) => before.clone(),
        None if password_is_off(&user.options) => {
            return Ok("nothing to do: its own rules refuse passwords");
        }
        None => Rules::of(&user.options),
    };
    hand.put(
        id,
        record,
        PasswordState::TurningOff {
            before: before.clone(),
            at: now(),
        },
    )?;
    let mut options = UserOptions::default();
    options.multi_factor_auth_enabled = Some(true);
    options.multi_factor_auth_rules = Some(vec![vec![Label::from(ONLY)]]);
    let update = UserUpdate {
        options: Some(options),
        ..UserUpdate::default()
    };
    let user = hand.update(id, &update).await?;
    if !password_is_off(&user.options) {
        hand.put(id, record, PasswordState::On)?;
        let failure = "Keystone did not keep the rule: a directory that it may only read has no rules. Take the password \
                       away there";
        return Err(hand
            .change(id)
            .refused(Reason::new(502, "not_kept"), Failure::failed(failure)));
    }
    hand.put(id, record, PasswordState::Off { before, at: now() })?;
    hand.change(id).done()?;
    Ok("its password is refused from now on")
}

pub(super) async fn restore(arguments: RestoreArguments) -> Outcome {
    let places = arguments.store.places()?;
    let operator = operator(&places).await?;
    let mut hand = Hand::of(&places, &operator, &arguments.journal.journal)?;
    let mut meant = arguments.whom.of(&hand.journal)?;
    meant.retain(|(_, record)| {
        let touched = record.password.before().is_some();
        if !touched {
            output::note(&format!("{}: {} already", record.name, record.password.as_str()));
        }
        touched
    });
    if meant.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = meant.iter().map(|(_, record)| record.name.as_str()).collect();
    let question = format!("The passwords will be good again of: {}.", names.join(", "));
    if !arguments.consent.given(&question)? {
        return Ok(());
    }
    let mut tally = Tally::default();
    for (id, mut record) in meant {
        let outcome = turn_on(&mut hand, &id, &mut record).await;
        tally.count(&record.name, outcome);
    }
    tally.end()
}

async fn turn_on(hand: &mut Hand, id: &str, record: &mut AccountRecord) -> Outcome<&'static str> {
    let Some(before) = record.password.before().cloned() else {
        return Ok("nothing to do");
    };
    let is_gone = matches!(
        record.password,
        PasswordState::Removed { .. } | PasswordState::Removing { .. }
    );
    let update = UserUpdate {
        options: Some(back_to(&before)),
        ..UserUpdate::default()
    };
    let user = hand.update(id, &update).await?;
    if Rules::of(&user.options) != before {
        let failure = Failure::failed("Keystone did not keep the former rules: see the journal for them");
        return Err(hand.change(id).refused(Reason::new(502, "not_kept"), failure));
    }
    hand.put(
        id,
        record,
        PasswordState::Restored {
            at: clock::date(clock::now()),
        },
    )?;
    hand.change(id).done()?;
    Ok(if is_gone {
        "its former rules hold again; its password is gone: `openstack user set --password-prompt` gives it a new one"
    } else {
        "its password is good again"
    })
}

/// The options that bring the rules back; what was not there is taken away by `null`.
fn back_to(before: &Rules) -> UserOptions {
    let mut options = UserOptions::default();
    let names = ["multi_factor_auth_enabled", "multi_factor_auth_rules"];
    let values = [
        before.multi_factor_auth_enabled.map(Value::from),
        before.multi_factor_auth_rules.clone().map(Value::from),
    ];
    for (name, value) in names.into_iter().zip(values) {
        options.others.insert(name.to_owned(), value.unwrap_or_default());
    }
    options
}

pub(super) async fn remove(arguments: RemoveArguments) -> Outcome {
    let places = arguments.store.places()?;
    let operator = operator(&places).await?;
    let mut hand = Hand::of(&places, &operator, &arguments.journal.journal)?;
    let (mut meant, mut tally) = (Vec::new(), Tally::default());
    for (id, record) in arguments.whom.of(&hand.journal)? {
        match may_be_removed(&record.password, arguments.off_for, clock::now()) {
            Ok(()) => meant.push((id, record)),
            Err(why) => tally.count(&record.name, Err(Failure::failed(why))),
        }
    }
    if meant.is_empty() {
        return tally.end();
    }
    let names: Vec<&str> = meant.iter().map(|(_, record)| record.name.as_str()).collect();
    let question = format!(
        "The passwords will be taken away FOR GOOD of: {}. Nobody can bring them back.",
        names.join(", ")
    );
    if !arguments.consent.given(&question)? {
        return Ok(());
    }
    for (id, mut record) in meant {
        let outcome = take_away(&mut hand, &id, &mut record).await;
        tally.count(&record.name, outcome);
    }
    tally.end()
}

/// Only what was off for so long, and nobody missed.
fn may_be_removed(state: &PasswordState, off_for: Duration, now: UnixTime) -> Result<(), String> {
    match state {
        PasswordState::Removing { .. } => Ok(()),
        PasswordState::Off { at, .. } => {
            let since = moment(at).ok_or("the journal does not say when it was turned off")?;
            if now.as_secs().saturating_sub(since.as_secs()) >= off_for.as_secs() {
                return Ok(());
            }
            Err(format!(
                "it is off since {} only: wait, or give a shorter --off-for",
                clock::relative(since, now)
            ))
        }
        PasswordState::On | PasswordState::TurningOff { .. } | PasswordState::Restored { .. } => {
            Err("it is not off: `disable-passwords` first".to_owned())
        }
        PasswordState::Removed { .. } => Err("it is taken away already".to_owned()),
    }
}

async fn take_away(hand: &mut Hand, id: &str, record: &mut AccountRecord) -> Outcome<&'static str> {
    let now = || clock::date(clock::now());
    let before = record.password.before().cloned().unwrap_or_default();
    hand.put(
        id,
        record,
        PasswordState::Removing {
            before: before.clone(),
            at: now(),
        },
    )?;
    let update = UserUpdate {
        password: Some(PasswordChange::Removed),
        ..UserUpdate::default()
    };
    let _user = hand.update(id, &update).await?;
    hand.put(id, record, PasswordState::Removed { before, at: now() })?;
    hand.change(id).done()?;
    Ok("its password is gone")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_password_that_was_off_for_long_is_taken_away() {
        let now = clock::at(1_767_322_984);
        let at = |days: u64| clock::date(clock::at(1_767_322_984 - days * 86_400));
        let before = Rules::default;
        let month = Duration::from_secs(30 * 86_400);
        let cases = [
            (
                PasswordState::Off {
                    before: before(),
                    at: at(31),
                },
                None,
            ),
            (
                PasswordState::Removing {
                    before: before(),
                    at: at(0),
                },
                None,
            ),
            (
                PasswordState::Off {
                    before: before(),
                    at: at(29),
                },
                Some("wait"),
            ),
            (
                PasswordState::Off {
                    before: before(),
                    at: String::new(),
                },
                Some("does not say"),
            ),
            (PasswordState::On, Some("not off")),
            (
                PasswordState::TurningOff {
                    before: before(),
                    at: at(99),
                },
                Some("not off"),
            ),
            (PasswordState::Restored { at: at(99) }, Some("not off")),
            (
                PasswordState::Removed {
                    before: before(),
                    at: at(99),
                },
                Some("already"),
            ),
        ];
        for (state, want) in cases {
            let found = may_be_removed(&state, month, now).err();
            assert_eq!(found.is_some(), want.is_some(), "{state:?}: {found:?}");
            assert!(
                found.unwrap_or_default().contains(want.unwrap_or_default()),
                "{state:?}"
            );
        }
    }

    #[test]
    fn the_way_back_leads_to_what_was_there() {
        let none = serde_json::to_value(back_to(&Rules::default())).unwrap();
        let nulls = serde_json::json!({"multi_factor_auth_enabled": null, "multi_factor_auth_rules": null});
        assert_eq!(none, nulls);
        let before = Rules {
            multi_factor_auth_enabled: Some(false),
            multi_factor_auth_rules: Some(vec![vec!["password".to_owned(), "totp".to_owned()]]),
        };
        let some = serde_json::to_value(back_to(&before)).unwrap();
        let want = serde_json::json!({
            "multi_factor_auth_enabled": false, "multi_factor_auth_rules": [["password", "totp"]],
        });
        assert_eq!(some, want);
    }
}
