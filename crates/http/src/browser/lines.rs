//! The lists of pages: scopes, projects, and what a person has.

use sealstone_pages::{
    AccountPage, ConsentLine, GrantLine, Page, PasskeyLine, ProjectLine, ScopeLine, SessionLine,
};
use sealstone_provider::people::{
    AccountConsent, AccountDevice, AccountPasskey, AccountSession, AccountView, ConsentScope, ProjectChoice,
};

use super::page::{person, trouble};

pub(super) fn scope(scope: &ConsentScope) -> ScopeLine {
    match scope {
        ConsentScope::Openid => ScopeLine::Identity,
        ConsentScope::Profile => ScopeLine::Profile,
        ConsentScope::Email => ScopeLine::Email,
        ConsentScope::Groups => ScopeLine::Groups,
        ConsentScope::OfflineAccess => ScopeLine::Offline,
        ConsentScope::Openstack => ScopeLine::OpenStack,
        ConsentScope::Other(name) => ScopeLine::Other(name.clone()),
    }
}

pub(super) fn project(choice: &ProjectChoice) -> ProjectLine {
    ProjectLine {
        id: choice.id.clone(),
        name: choice.name.clone(),
        domain: choice.domain.clone(),
        roles: choice.roles.clone(),
        chosen: choice.is_chosen,
    }
}

pub(super) fn account(view: &AccountView) -> Page {
    Page::Account(AccountPage {
        person: person(&view.person),
        email: view.email.clone(),
        sessions: view.sessions.iter().map(session).collect(),
        grants: view.devices.iter().map(grant).collect(),
        consents: view.consents.iter().map(consent).collect(),
        takes_totp: view.offers_totp,
        takes_passkey: view.offers_passkey,
        passkeys: view.passkeys.iter().map(passkey).collect(),
        totp_since: view.totp_since,
        recovery_codes_left: view.recovery_codes_left,
        trouble: trouble(view.fault),
    })
}

fn session(row: &AccountSession) -> SessionLine {
    SessionLine {
        id: row.id.clone(),
        device: row.description.clone(),
        since: row.since,
        last_used_at: row.last_used,
        current: row.is_this,
    }
}

fn grant(row: &AccountDevice) -> GrantLine {
    GrantLine {
        id: row.id.clone(),
        client: row.client.clone(),
        scopes: scopes(&row.scope),
        project: row.project.clone(),
        since: row.since,
        last_used_at: row.last_used,
    }
}

fn consent(row: &AccountConsent) -> ConsentLine {
    ConsentLine {
        id: row.id.clone(),
        client: row.client.clone(),
        scopes: scopes(&row.scope),
        project: row.project.clone(),
        since: row.since,
    }
}

fn passkey(row: &AccountPasskey) -> PasskeyLine {
    PasskeyLine {
        id: row.id.clone(),
        name: row.name.clone(),
        since: row.since,
        last_used_at: row.last_used,
    }
}

/// A scope as text, in lines.
fn scopes(text: &str) -> Vec<ScopeLine> {
    text.split_ascii_whitespace()
        .map(|name| match name {
            "openid" => ScopeLine::Identity,
            "profile" => ScopeLine::Profile,
            "email" => ScopeLine::Email,
            "groups" => ScopeLine::Groups,
            "offline_access" => ScopeLine::Offline,
            "openstack:api" => ScopeLine::OpenStack,
            other => ScopeLine::Other(other.to_owned()),
        })
        .collect()
}
