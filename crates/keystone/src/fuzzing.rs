//! What the fuzz target `keystone_response` drives: the readers of answers, on octets.

use sealstone_jose::json;

use crate::{
    ApplicationCredential, Assignment, Credential, Domain, Ec2Credential, Group, Label, Project, RequestId,
    RevocationEvent, Role, RoleInference, Token, TokenInfo, TokenScope, Trust, User, moment,
    session::document::{member_of, page_of, query_of},
    token::{ReceiptDocument, TokenDocument},
};

/// Reads one body as each kind of answer. What is taken keeps its limits.
pub fn answer(body: &[u8]) {
    if let Ok(info) = json::from_slice::<TokenDocument>(body).map(TokenDocument::into_info) {
        info.iter().for_each(token);
    }
    if let (Ok(document), Ok(token)) = (json::from_slice::<ReceiptDocument>(body), Token::parse("a")) {
        let _receipt = document.into_receipt(token);
    }
    list::<User>(body, "users");
    list::<Group>(body, "groups");
    list::<Project>(body, "projects");
    list::<Domain>(body, "domains");
    list::<Role>(body, "roles");
    list::<RoleInference>(body, "role_inferences");
    list::<Assignment>(body, "role_assignments");
    list::<ApplicationCredential>(body, "application_credentials");
    list::<Credential>(body, "credentials");
    list::<Ec2Credential>(body, "credentials");
    list::<Trust>(body, "trusts");
    list::<RevocationEvent>(body, "events");
    let _one = member_of::<ApplicationCredential>(body, "application_credential");
}

/// Reads one text as each thing that a header or a member may hold.
pub fn text(text: &str) {
    if let Some(moment) = moment::with_zone(text) {
        assert_eq!(
            moment::with_zone(&moment::text(moment)),
            Some(moment),
            "a time prints as itself"
        );
    }
    if let Ok(token) = Token::parse(text) {
        assert!(token.expose() == text && text.is_ascii() && !text.contains([' ', '\r', '\n', ',', ':']));
    }
    if let Some(id) = RequestId::parse(text) {
        assert_eq!(id.as_str().len(), 40, "req- and a UUID");
    }
    assert!(
        !Label::from(text).to_string().chars().any(char::is_control),
        "nothing forges a line"
    );
    if let Some(query) = query_of(text) {
        assert!(query.starts_with('?') && !query.contains(['#', ' ', '\r', '\n']));
    }
}

fn token(info: &TokenInfo) {
    assert!(info.roles.len() <= 1_000 && info.methods.len() <= 16 && info.audit_ids.len() <= 16);
    assert!(
        info.roles.is_empty() || info.scope != TokenScope::Unscoped,
        "roles are somewhere"
    );
}

fn list<T: serde::de::DeserializeOwned>(body: &[u8], name: &'static str) {
    if let Ok(page) = page_of::<T>(body, name) {
        assert!(page.items.len() <= body.len(), "items come from the body");
        let _next = page.next.as_deref().and_then(query_of);
    }
}
