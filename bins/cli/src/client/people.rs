//! What a registration says about people, from options.

use clap::{ArgAction, Args};
use serde_json::{Map, Value};

#[derive(Debug, Args)]
#[command(next_help_heading = "People")]
pub(super) struct PeopleArguments {
    /// A grant it may use; may be given several times [default: `authorization_code` with redirect URIs, else
    /// `client_credentials`]
    #[arg(long, value_name = "GRANT", value_parser = GRANTS)]
    grant: Vec<String>,
    /// A program that cannot keep a secret: short for --auth-method none
    #[arg(long)]
    public: bool,
    /// A program on the person's machine: short for --application-type native
    #[arg(long, conflicts_with = "application_type")]
    native: bool,
    /// A server, or a program on the person's machine [default: web]
    #[arg(long, value_name = "TYPE", value_parser = ["web", "native"])]
    application_type: Option<String>,
    /// A URI that its answers may go to, whole; may be given several times
    #[arg(long, value_name = "URI")]
    redirect_uri: Vec<String>,
    /// A URI that the browser may go to after a sign-out; may be given several times
    #[arg(long, value_name = "URI")]
    post_logout_redirect_uri: Vec<String>,
    /// Whether its requests must have a code challenge; always so for a public client [default: true]
    #[arg(long, value_name = "true|false", action = ArgAction::Set)]
    require_pkce: Option<bool>,
    /// Whether people are asked before it learns who they are [default: ask]
    #[arg(long, value_name = "WHEN", value_parser = ["ask", "never"])]
    consent: Option<String>,
    /// The algorithm its ID tokens are signed with [default: RS256 where the issuer has it]
    #[arg(long, value_name = "ALG")]
    id_token_alg: Option<String>,
    /// The algorithm its userinfo answers are signed with [default: plain JSON]
    #[arg(long, value_name = "ALG")]
    userinfo_alg: Option<String>,
    /// Whether it knows people by subjects that only its sector has [default: public]
    #[arg(long, value_name = "TYPE", value_parser = ["public", "pairwise"])]
    subject_type: Option<String>,
    /// The host name of the sector that shares pairwise subjects [default: that of its redirect URIs]
    #[arg(long, value_name = "HOST")]
    sector_identifier: Option<String>,
    /// How many seconds ago the person may have signed in, where a request does not say
    #[arg(long, value_name = "SECONDS")]
    default_max_age: Option<u32>,
    /// An authentication class asked for where a request names none; may be given several times, best liked first
    #[arg(long, value_name = "ACR")]
    default_acr: Vec<String>,
    /// The authentication class below which nobody gets in
    #[arg(long, value_name = "ACR")]
    minimum_acr: Option<String>,
    /// Where it hears that a session ended: https on a public host
    #[arg(long, value_name = "URI")]
    backchannel_logout_uri: Option<String>,
    /// Whether it must hear which session [default: false]
    #[arg(long, value_name = "true|false", action = ArgAction::Set)]
    backchannel_logout_session: Option<bool>,
    /// How long a refresh token and its successors are good in all, in seconds [default: 7776000]
    #[arg(long, value_name = "SECONDS")]
    refresh_lifetime: Option<u64>,
    /// How long a refresh token is good unused, in seconds [default: 2592000]
    #[arg(long, value_name = "SECONDS")]
    refresh_idle: Option<u64>,
    /// Its page for people, shown beside its name
    #[arg(long, value_name = "URL")]
    client_uri: Option<String>,
}

const GRANTS: [&str; 4] = [
    "authorization_code",
    "refresh_token",
    "device_code",
    "client_credentials",
];
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What only a client with `authorization_code` reads.
const OF_CODE: [&str; 3] = ["redirect_uris", "response_types", "require_pkce"];
/// What only a client reads by way of which people sign in.
const OF_PEOPLE: [&str; 13] = [
    "application_type",
    "post_logout_redirect_uris",
    "id_token_signed_response_alg",
    "userinfo_signed_response_alg",
    "subject_type",
    "sector_identifier",
    "default_max_age",
    "default_acr_values",
    "minimum_acr",
    "backchannel_logout_uri",
    "backchannel_logout_session_required",
    "consent",
    "client_uri",
];
/// What only a client with `refresh_token` reads.
const OF_REFRESH: [&str; 2] = ["refresh_token_lifetime_s", "refresh_token_idle_s"];

impl PeopleArguments {
    /// The method that these options mean.
    pub(super) fn auth_method(&self) -> Option<&'static str> {
        self.public.then_some("none")
    }

    /// These wishes over the members so far.
    pub(super) fn over(&self, members: &mut Map<String, Value>) {
        let list = |values: &[String]| (!values.is_empty()).then(|| Value::from(values.to_vec()));
        let grants: Vec<String> = self
            .grant
            .iter()
            .map(|grant| {
                if grant == "device_code" {
                    DEVICE_CODE
                } else {
                    grant
                }
                .to_owned()
            })
            .collect();
        let application_type = self
            .native
            .then_some("native")
            .or(self.application_type.as_deref());
        let own = [
            ("grant_types", list(&grants)),
            ("application_type", application_type.map(Value::from)),
            ("redirect_uris", list(&self.redirect_uri)),
            ("post_logout_redirect_uris", list(&self.post_logout_redirect_uri)),
            ("require_pkce", self.require_pkce.map(Value::from)),
            ("consent", self.consent.as_deref().map(Value::from)),
            (
                "id_token_signed_response_alg",
                self.id_token_alg.as_deref().map(Value::from),
            ),
            (
                "userinfo_signed_response_alg",
                self.userinfo_alg.as_deref().map(Value::from),
            ),
            ("subject_type", self.subject_type.as_deref().map(Value::from)),
            (
                "sector_identifier",
                self.sector_identifier.as_deref().map(Value::from),
            ),
            ("default_max_age", self.default_max_age.map(Value::from)),
            ("default_acr_values", list(&self.default_acr)),
            ("minimum_acr", self.minimum_acr.as_deref().map(Value::from)),
            (
                "backchannel_logout_uri",
                self.backchannel_logout_uri.as_deref().map(Value::from),
            ),
            (
                "backchannel_logout_session_required",
                self.backchannel_logout_session.map(Value::from),
            ),
            ("refresh_token_lifetime_s", self.refresh_lifetime.map(Value::from)),
            ("refresh_token_idle_s", self.refresh_idle.map(Value::from)),
            ("client_uri", self.client_uri.as_deref().map(Value::from)),
        ];
        let own = own
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let own: Map<String, Value> = own.collect();
        forget(members, &own);
        members.extend(own);
    }
}

/// Members that the client had for a grant or a subject that it is to have no longer would be refused.
pub(super) fn forget(members: &mut Map<String, Value>, new: &Map<String, Value>) {
    if let Some(grants) = new.get("grant_types").and_then(Value::as_array) {
        let has = |grant: &str| grants.iter().any(|own| own == grant);
        let has_code = has("authorization_code");
        let unread = [
            (has_code, &OF_CODE[..]),
            (has_code || has(DEVICE_CODE), &OF_PEOPLE[..]),
            (has("refresh_token"), &OF_REFRESH[..]),
        ];
        for (_, names) in unread.iter().filter(|(is_read, _)| !is_read) {
            names.iter().for_each(|name| drop(members.remove(*name)));
        }
    }
    if new.get("subject_type").is_some_and(|subject| subject == "public") {
        members.remove("sector_identifier");
    }
}
