mod de;
mod en;
mod rich;

use std::borrow::Cow;
use std::fmt;

pub(crate) use rich::{Rich, emphasized, fill};

/// Longest replacement of a text, in octets: the longest of ours has 250.
const MAX_TEXT: usize = 1024;

macro_rules! texts {
    ($($key:ident,)*) => {
        /// Every text of every page in one language.
        ///
        /// A text may hold placeholders (`{client}`). A replacement holds those that the English text has or fewer.
        #[derive(Clone)]
        pub struct Texts {
            pub(crate) lang: Cow<'static, str>,
            $(pub(crate) $key: Cow<'static, str>,)*
        }

        impl Texts {
            /// The texts by their keys, in the order of the pages.
            pub fn entries(&self) -> impl Iterator<Item = (&'static str, &str)> {
                [$((stringify!($key), &*self.$key),)*].into_iter()
            }

            fn entry(&mut self, key: &str) -> Option<&mut Cow<'static, str>> {
                match key {
                    $(stringify!($key) => Some(&mut self.$key),)*
                    _ => None,
                }
            }
        }
    };
}

texts! {
    cancel,
    go_back,
    who,
    script_needed,
    support,
    privacy,
    imprint,
    login_title,
    login_to,
    login_again_title,
    login_again,
    user_name,
    password,
    sign_in,
    or,
    continue_with,
    passkey_sign_in,
    trouble_password,
    trouble_code,
    trouble_too_many,
    trouble_passkey,
    trouble_declined,
    trouble_other_person,
    trouble_password_expired,
    trouble_factor_needed,
    trouble_project,
    trouble_device_code,
    select_title,
    select_continue,
    select_other,
    code_title,
    code_totp,
    code_other,
    code_or_recovery,
    code_label,
    code_recovery_title,
    code_recovery,
    code_recovery_label,
    code_button,
    wait_title,
    wait_text,
    wait_waiting,
    wait_button,
    wait_code,
    passkey_title,
    passkey_text,
    passkey_button,
    enrol_title,
    enrol_text,
    enrol_skip,
    enrol_required,
    enrol_totp,
    enrol_totp_hint,
    enrol_passkey,
    enrol_passkey_hint,
    enrol_totp_title,
    enrol_totp_scan,
    enrol_totp_picture,
    enrol_totp_here,
    enrol_totp_secret,
    enrol_totp_code,
    enrol_totp_button,
    enrol_passkey_title,
    enrol_passkey_text,
    enrol_passkey_name,
    enrol_passkey_name_hint,
    enrol_passkey_button,
    recovery_title,
    recovery_text,
    recovery_once,
    recovery_codes,
    recovery_button,
    consent_title,
    consent_text,
    consent_asks,
    scope_identity,
    scope_profile,
    scope_email,
    scope_groups,
    scope_offline,
    scope_openstack,
    scope_other,
    consent_project,
    consent_roles,
    consent_no_project,
    consent_resources,
    consent_destination,
    allow,
    deny,
    device_title,
    device_text,
    device_code,
    device_hint,
    device_button,
    device_confirm_title,
    device_compare,
    device_warning,
    device_client,
    device_account,
    device_address,
    device_agent,
    device_asked,
    device_confirm,
    device_deny,
    device_done_title,
    device_done,
    device_denied_title,
    device_denied,
    account_title,
    account_sessions,
    account_current,
    account_unknown_device,
    account_browser_on,
    account_signed_in,
    account_last_used,
    account_end_session,
    account_end_all,
    account_grants,
    account_no_grants,
    account_project,
    account_since,
    account_end_grant,
    account_consents,
    account_no_consents,
    account_revoke_consent,
    account_factors,
    account_totp,
    account_no_totp,
    account_add_totp,
    account_remove,
    account_passkey,
    account_add_passkey,
    account_recovery,
    account_recovery_left,
    account_new_recovery,
    account_line,
    logout_title,
    logout_text,
    logout_client,
    logout_button,
    logout_stay,
    logged_out_title,
    logged_out,
    logged_out_everywhere,
    stayed_title,
    stayed,
    form_post_title,
    form_post_text,
    form_post_button,
    error_reference,
    error_developers,
    error_request_title,
    error_request,
    error_not_allowed_title,
    error_not_allowed,
    error_expired_title,
    error_expired,
    error_cookies_title,
    error_cookies,
    error_forged_title,
    error_forged,
    error_many_title,
    error_many,
    error_upstream_title,
    error_upstream,
    error_unavailable_title,
    error_unavailable,
    error_server_title,
    error_server,
    error_missing_title,
    error_missing,
}

impl Texts {
    /// English.
    #[must_use]
    pub const fn english() -> Self {
        en::ENGLISH
    }

    /// German.
    #[must_use]
    pub const fn german() -> Self {
        de::GERMAN
    }

    /// The language's tag, as of the `lang` attribute.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.lang
    }

    /// English under another tag: what a language starts from that is not ours.
    pub(crate) fn untranslated(lang: &str) -> Self {
        Self {
            lang: Cow::Owned(lang.to_owned()),
            ..Self::english()
        }
    }

    /// Replaces a text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn replace(&mut self, key: &str, text: String) -> Result<(), TextError> {
        let mut english = Self::english();
        let Some(original) = english.entry(key) else {
            return Err(TextError::UnknownKey);
        };
        if text.trim().is_empty() {
            return Err(TextError::Empty);
        }
        if text.len() > MAX_TEXT {
            return Err(TextError::TooLong);
        }
        let known = placeholders(original);
        if let Some(unknown) = placeholders(&text).find(|name| !known.clone().any(|other| other == *name)) {
            return Err(TextError::Placeholder(unknown.to_owned()));
        }
        if let Some(entry) = self.entry(key) {
            *entry = Cow::Owned(text);
        }
        Ok(())
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Texts").field(&self.lang).finish()
    }
}

/// Why a text does not replace ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    #[error("there is no such text; the keys are listed in docs/reference/page-texts.md")]
    UnknownKey,
    #[error("the text is empty")]
    Empty,
    #[error("the text is longer than {MAX_TEXT} octets")]
    TooLong,
    #[error("`{{{0}}}` is not filled in here")]
    Placeholder(String),
}

/// The names between braces.
fn placeholders(text: &str) -> impl Iterator<Item = &str> + Clone {
    text.split('{')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('}')?.0))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{TextError, Texts, placeholders};

    #[test]
    fn german_says_everything_that_english_says() {
        let (english, german) = (Texts::english(), Texts::german());
        for ((key, one), (other_key, other)) in english.entries().zip(german.entries()) {
            assert_eq!(key, other_key);
            for text in [one, other] {
                assert!(!text.trim().is_empty() && text.trim() == text, "{key}: {text}");
                assert!(!text.contains(['<', '>', '&']), "{key}: texts are not markup");
                assert!(text.len() <= super::MAX_TEXT, "{key}");
            }
            let names = |text| placeholders(text).map(str::to_owned).collect::<BTreeSet<_>>();
            assert_eq!(names(one), names(other), "{key}");
        }
        let same: Vec<_> = english
            .entries()
            .zip(german.entries())
            .filter(|(one, other)| one.1 == other.1)
            .collect();
        assert!(same.len() <= 8, "left in English? {same:?}");
        assert_eq!((english.language(), german.language()), ("en", "de"));
    }

    #[test]
    fn a_replacement_is_refused_if_it_could_not_be_filled_in() {
        let mut texts = Texts::german();
        let mut replace = |key: &str, text: &str| texts.replace(key, text.to_owned());
        assert_eq!(replace("login_titel", "x"), Err(TextError::UnknownKey));
        assert_eq!(replace("lang", "x"), Err(TextError::UnknownKey));
        assert_eq!(replace("login_title", " "), Err(TextError::Empty));
        assert_eq!(replace("login_title", &"x".repeat(1025)), Err(TextError::TooLong));
        let unknown = TextError::Placeholder("acount".to_owned());
        assert_eq!(replace("login_again", "Sie sind {acount}"), Err(unknown));
        assert_eq!(replace("login_again", "Noch einmal, {account}"), Ok(()));
        assert_eq!(replace("login_to", "ohne Namen"), Ok(()));
        assert_eq!(&*texts.login_to, "ohne Namen");
    }
}
