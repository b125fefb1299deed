//! The rules for what a registration says about people.

use std::{collections::BTreeSet, time::Duration};

use sealstone_jose::Algorithm;
use sealstone_oauth_types::{Acr, GrantType, MaxAge, RedirectUri, RedirectUriKind, TokenEndpointAuthMethod};

use super::{ClientRegistration, members::closest};
use crate::{
    client::IntrospectionRight,
    error::RegistrationError,
    logout_uri::{BackchannelLogoutUri, host_of},
    people::{
        AUTHENTICATION_CLASSES, ApplicationType, BackchannelLogout, DEFAULT_REFRESH_LIFETIME,
        MAX_REFRESH_LIFETIME, MIN_REFRESH_LIFETIME, People, Pkce, SubjectType, is_registrable,
    },
};

/// The most redirect URIs of one list: each is compared with the one that a request names.
const MAX_REDIRECT_URIS: usize = 32;
/// The longest `client_uri`, in bytes: what a page can show.
const MAX_CLIENT_URI: usize = 256;

impl ClientRegistration {
    /// What the registration says about people, for a client with these grants.
    pub(super) fn people(
        &self,
        grants: &BTreeSet<GrantType>,
        method: TokenEndpointAuthMethod,
    ) -> Result<People, RegistrationError> {
        self.check_grants(grants, method)?;
        let application_type = self.application_type.unwrap_or_default();
        let redirect_uris = redirect_uris("redirect_uris", &self.redirect_uris, application_type)?;
        let (subject_type, sector_identifier) = self.sector(&redirect_uris)?;
        let (refresh_lifetime, refresh_idle) = self.refresh()?;
        Ok(People {
            application_type,
            post_logout_redirect_uris: redirect_uris_of_logout(self, application_type)?,
            redirect_uris,
            pkce: self.pkce(method)?,
            id_token_algorithm: algorithm(
                "id_token_signed_response_alg",
                self.id_token_signed_response_alg.as_deref(),
            )?,
            userinfo_algorithm: algorithm(
                "userinfo_signed_response_alg",
                self.userinfo_signed_response_alg.as_deref(),
            )?,
            subject_type,
            sector_identifier,
            default_max_age: self.default_max_age.map(MaxAge::from_seconds),
            default_acr_values: self.acr_values()?,
            minimum_acr: self.minimum_class()?,
            backchannel_logout: self.backchannel_logout()?,
            consent: self.consent.unwrap_or_default(),
            refresh_lifetime,
            refresh_idle,
            client_uri: self.client_uri()?,
        })
    }

    /// Which grants go together, and with which members.
    fn check_grants(
        &self,
        grants: &BTreeSet<GrantType>,
        method: TokenEndpointAuthMethod,
    ) -> Result<(), RegistrationError> {
        let has = |grant| grants.contains(&grant);
        let has_code = has(GrantType::AuthorizationCode);
        let has_people = has_code || has(GrantType::DeviceCode);
        if method == TokenEndpointAuthMethod::None && has(GrantType::ClientCredentials) {
            return Err(RegistrationError::PublicMachine);
        }
        let introspection = self.introspection.unwrap_or_default();
        if method == TokenEndpointAuthMethod::None && introspection != IntrospectionRight::None {
            return Err(RegistrationError::PublicIntrospection);
        }
        if has(GrantType::RefreshToken) && !has_people {
            return Err(RegistrationError::RefreshAlone);
        }
        if has_code && self.redirect_uris.is_empty() {
            return Err(RegistrationError::RedirectUriMissing);
        }
        let fits = |types: &[String]| types == ["code"] || (types.is_empty() && !has_code);
        if self.response_types.as_deref().is_some_and(|types| !fits(types)) {
            return Err(RegistrationError::ResponseTypes);
        }
        let offline = self.scope.as_deref().unwrap_or_default();
        if offline.split(' ').any(|scope| scope == "offline_access")
            && has_people
            && !has(GrantType::RefreshToken)
        {
            return Err(RegistrationError::OfflineAccess);
        }
        self.unused_of_people(has_code, has_people, has(GrantType::RefreshToken))
    }

    /// A member for people on a client that none of them meets.
    fn unused_of_people(
        &self,
        has_code: bool,
        has_people: bool,
        has_refresh: bool,
    ) -> Result<(), RegistrationError> {
        use GrantType::{AuthorizationCode, RefreshToken};
        let of_code = [
            (!self.redirect_uris.is_empty(), "redirect_uris"),
            (
                self.response_types
                    .as_ref()
                    .is_some_and(|types| !types.is_empty()),
                "response_types",
            ),
            (self.require_pkce.is_some(), "require_pkce"),
        ];
        let of_people = [
            (self.application_type.is_some(), "application_type"),
            (
                !self.post_logout_redirect_uris.is_empty(),
                "post_logout_redirect_uris",
            ),
            (
                self.id_token_signed_response_alg.is_some(),
                "id_token_signed_response_alg",
            ),
            (
                self.userinfo_signed_response_alg.is_some(),
                "userinfo_signed_response_alg",
            ),
            (self.subject_type.is_some(), "subject_type"),
            (self.sector_identifier.is_some(), "sector_identifier"),
            (self.default_max_age.is_some(), "default_max_age"),
            (!self.default_acr_values.is_empty(), "default_acr_values"),
            (self.minimum_acr.is_some(), "minimum_acr"),
            (self.backchannel_logout_uri.is_some(), "backchannel_logout_uri"),
            (
                self.backchannel_logout_session_required.is_some(),
                "backchannel_logout_session_required",
            ),
            (self.consent.is_some(), "consent"),
            (self.client_uri.is_some(), "client_uri"),
        ];
        let of_refresh = [
            (
                self.refresh_token_lifetime_s.is_some(),
                "refresh_token_lifetime_s",
            ),
            (self.refresh_token_idle_s.is_some(), "refresh_token_idle_s"),
        ];
        let first = |members: &[(bool, &'static str)]| {
            members
                .iter()
                .find(|(present, _)| *present)
                .map(|(_, name)| *name)
        };
        let unused = [
            (has_code, first(&of_code), AuthorizationCode),
            (has_people, first(&of_people), AuthorizationCode),
            (has_refresh, first(&of_refresh), RefreshToken),
        ];
        for (is_read, member, grant) in unused {
            if let (false, Some(member)) = (is_read, member) {
                return Err(RegistrationError::UnusedByGrants { member, grant });
            }
        }
        Ok(())
    }

    fn pkce(&self, method: TokenEndpointAuthMethod) -> Result<Pkce, RegistrationError> {
        match (self.require_pkce, method) {
            (Some(false), TokenEndpointAuthMethod::None) => Err(RegistrationError::PublicWithoutPkce),
            (Some(false), _) => Ok(Pkce::Optional),
            (Some(true) | None, _) => Ok(Pkce::Required),
        }
    }

    /// The sector that a pairwise subject belongs to: as registered, else the one host of the redirect URIs. It is
    /// kept, so that a further redirect URI changes no subject. Either way it is a host name: what is kept must be
    /// read again.
    fn sector(
        &self,
        redirect_uris: &[RedirectUri],
    ) -> Result<(SubjectType, Option<String>), RegistrationError> {
        let subject_type = self.subject_type.unwrap_or_default();
        match (subject_type, self.sector_identifier.as_deref()) {
            (SubjectType::Public, None) => Ok((subject_type, None)),
            (SubjectType::Public, Some(_)) => Err(RegistrationError::SectorUnused),
            (SubjectType::Pairwise, Some(host)) if is_host_name(host) => {
                Ok((subject_type, Some(host.to_owned())))
            }
            (SubjectType::Pairwise, Some(_)) => Err(RegistrationError::Sector),
            (SubjectType::Pairwise, None) => {
                let hosts: BTreeSet<Option<String>> = redirect_uris.iter().map(web_host).collect();
                let mut hosts = hosts.into_iter();
                match (hosts.next(), hosts.next()) {
                    (Some(Some(host)), None) if is_host_name(&host) => Ok((subject_type, Some(host))),
                    _ => Err(RegistrationError::Sector),
                }
            }
        }
    }

    fn acr_values(&self) -> Result<Vec<Acr>, RegistrationError> {
        let fault = RegistrationError::Acr {
            member: "default_acr_values",
        };
        if self.default_acr_values.len() > Acr::MAX_VALUES {
            return Err(fault);
        }
        let mut values = Vec::with_capacity(self.default_acr_values.len());
        for text in &self.default_acr_values {
            let acr = Acr::parse(text).filter(|acr| !values.contains(acr));
            values.push(acr.ok_or_else(|| fault.clone())?);
        }
        Ok(values)
    }

    /// A class that no login comes to would lock everybody out.
    fn minimum_class(&self) -> Result<Option<Acr>, RegistrationError> {
        let Some(text) = self.minimum_acr.as_deref() else {
            return Ok(None);
        };
        let known = Acr::parse(text).filter(|acr| AUTHENTICATION_CLASSES.contains(&acr.as_str()));
        let unknown = || RegistrationError::MinimumAcr {
            suggestion: closest(text, &AUTHENTICATION_CLASSES),
        };
        known.map(Some).ok_or_else(unknown)
    }

    fn backchannel_logout(&self) -> Result<Option<BackchannelLogout>, RegistrationError> {
        match (
            &self.backchannel_logout_uri,
            self.backchannel_logout_session_required,
        ) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(RegistrationError::LogoutSessionAlone),
            (Some(uri), session_required) => Ok(Some(BackchannelLogout {
                uri: BackchannelLogoutUri::parse(uri).ok_or(RegistrationError::LogoutUri)?,
                session_required: session_required.unwrap_or_default(),
            })),
        }
    }

    fn refresh(&self) -> Result<(Option<Duration>, Option<Duration>), RegistrationError> {
        let absolute = self.refresh_token_lifetime_s.map(Duration::from_secs);
        let idle = self.refresh_token_idle_s.map(Duration::from_secs);
        let longest = absolute.unwrap_or(DEFAULT_REFRESH_LIFETIME);
        let within = |span: &Duration, limit| (MIN_REFRESH_LIFETIME..=limit).contains(span);
        if !within(&longest, MAX_REFRESH_LIFETIME) {
            return Err(RegistrationError::RefreshLifetime);
        }
        if idle.is_some_and(|idle| !within(&idle, longest)) {
            return Err(RegistrationError::RefreshIdle);
        }
        Ok((absolute, idle))
    }

    fn client_uri(&self) -> Result<Option<String>, RegistrationError> {
        let Some(text) = &self.client_uri else {
            return Ok(None);
        };
        let is_page = RedirectUri::parse(text).is_ok_and(|uri| uri.kind() == RedirectUriKind::Https);
        if is_page && text.len() <= MAX_CLIENT_URI {
            Ok(Some(text.clone()))
        } else {
            Err(RegistrationError::ClientUri)
        }
    }

    /// Writes the settings back as the members that they came from.
    pub(super) fn set_people(&mut self, people: &People, grants: &BTreeSet<GrantType>) {
        let has_code = grants.contains(&GrantType::AuthorizationCode);
        let has_people = has_code || grants.contains(&GrantType::DeviceCode);
        let texts = |uris: &[RedirectUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect();
        let name = |algorithm: Option<Algorithm>| algorithm.map(|algorithm| algorithm.as_str().to_owned());
        self.redirect_uris = texts(&people.redirect_uris);
        self.response_types = has_code.then(|| vec!["code".to_owned()]);
        self.require_pkce = has_code.then_some(people.pkce == Pkce::Required);
        self.application_type = has_people.then_some(people.application_type);
        self.post_logout_redirect_uris = texts(&people.post_logout_redirect_uris);
        self.id_token_signed_response_alg = name(people.id_token_algorithm);
        self.userinfo_signed_response_alg = name(people.userinfo_algorithm);
        self.subject_type = has_people.then_some(people.subject_type);
        self.sector_identifier.clone_from(&people.sector_identifier);
        self.default_max_age = people.default_max_age.map(MaxAge::as_seconds);
        self.default_acr_values = people.default_acr_values.iter().map(Acr::to_string).collect();
        self.minimum_acr = people.minimum_acr.as_ref().map(Acr::to_string);
        let logout = people.backchannel_logout.as_ref();
        self.backchannel_logout_uri = logout.map(|logout| logout.uri.to_string());
        self.backchannel_logout_session_required = logout.map(|logout| logout.session_required);
        self.consent = has_people.then_some(people.consent);
        self.refresh_token_lifetime_s = people.refresh_lifetime.map(|span| span.as_secs());
        self.refresh_token_idle_s = people.refresh_idle.map(|span| span.as_secs());
        self.client_uri.clone_from(&people.client_uri);
    }
}

fn redirect_uris_of_logout(
    registration: &ClientRegistration,
    application_type: ApplicationType,
) -> Result<Vec<RedirectUri>, RegistrationError> {
    let uris = &registration.post_logout_redirect_uris;
    redirect_uris("post_logout_redirect_uris", uris, application_type)
}

fn redirect_uris(
    member: &'static str,
    texts: &[String],
    application_type: ApplicationType,
) -> Result<Vec<RedirectUri>, RegistrationError> {
    let too_many = RegistrationError::RedirectUris {
        member,
        limit: MAX_REDIRECT_URIS,
    };
    if texts.len() > MAX_REDIRECT_URIS {
        return Err(too_many);
    }
    let mut uris = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        // First: in a host it makes the whole no URI, and whoever wrote it should read why.
        if text.contains('*') {
            return Err(RegistrationError::RedirectUriWildcard { member, index });
        }
        let uri = RedirectUri::parse(text).map_err(|_| RegistrationError::RedirectUri { member, index })?;
        if !is_registrable(&uri, application_type) {
            return Err(RegistrationError::RedirectUriKind {
                member,
                index,
                application_type,
            });
        }
        if uris.contains(&uri) {
            return Err(too_many);
        }
        uris.push(uri);
    }
    Ok(uris)
}

fn algorithm(member: &'static str, name: Option<&str>) -> Result<Option<Algorithm>, RegistrationError> {
    name.map(Algorithm::parse)
        .transpose()
        .map_err(|_| RegistrationError::PeopleAlgorithm { member })
}

/// The host of a web client's redirect URI; one of a program on somebody's machine has none that is the client's.
fn web_host(uri: &RedirectUri) -> Option<String> {
    let authority = uri.origin().strip_prefix("https://")?;
    Some(host_of(authority).to_ascii_lowercase())
}

fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    host.len() <= 253 && host.split('.').all(label)
}
