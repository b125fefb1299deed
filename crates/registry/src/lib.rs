#![doc = include_str!("../README.md")]

mod administration;
mod assertion;
mod auth;
mod client;
mod domain;
mod error;
mod import;
mod initial_token;
mod logout_uri;
mod name;
mod people;
mod record;
mod registration;
mod sealed_secret;
mod secret;
mod secret_set;
mod store;
mod tie;

pub use administration::{
    ADMINISTRATION_SCOPE, Administrator, CLOUD_DOMAIN, Excess, KEYS_SCOPE, LOGIN_SCOPES, PolicyError,
    RegistrationPolicy, TieVerdict,
};
pub use assertion::{AssertionAudience, AssertionDates, AssertionKeys, AssertionRules, AssertionSecret};
pub use auth::{ClientAuth, SelfSignedJwks};
pub use client::{
    Client, IntrospectionFormat, IntrospectionRight, MAX_BEARER_LIFETIME, MAX_BOUND_LIFETIME, MIN_LIFETIME,
    TokenBinding, chosen_client_id, generate_client_id,
};
pub use domain::Domain;
pub use error::RegistrationError;
pub use import::{
    Dropped, ImportError, ImportRefusal, ImportSource, ImportedClient, MAX_IMPORT, import_clients,
};
pub use initial_token::{
    InitialToken, InitialTokenId, MAX_INITIAL_TOKEN_LIFETIME, MAX_INITIAL_TOKEN_USES, MAX_INITIAL_TOKENS,
    MIN_INITIAL_TOKEN_LIFETIME, Registered, RegistrationStore,
};
pub use logout_uri::BackchannelLogoutUri;
pub use people::{
    AUTHENTICATION_CLASSES, ApplicationType, BackchannelLogout, ConsentPolicy, DEFAULT_REFRESH_IDLE,
    DEFAULT_REFRESH_LIFETIME, MAX_REFRESH_LIFETIME, MIN_REFRESH_LIFETIME, Pkce, SubjectType,
};
pub use record::{RECORD_VERSION, RecordError};
pub use registration::{ClientRegistration, DynamicRegistration, OPENSTACK_API_SCOPE};
pub use sealed_secret::SealedSecret;
pub use secret::{ClientSecretText, MAX_SECRET_LENGTH, Pepper, PepperError, SecretHash};
pub use secret_set::{KeptSecret, MAX_SECRET_OVERLAP, RotationError, SecretKind, SecretSet};
pub use store::{ClientStore, DomainStore, Insertion, MAX_PAGE, Removal, Replacement, StoreError};
pub use tie::{CredentialLogin, MachineTie, TiedCredential};
