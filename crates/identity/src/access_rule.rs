use crate::IdentityError;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// The methods that Keystone accepts in an access rule.
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// One kind of request that a delegation allows: Keystone's access rule of an application credential.
///
/// `path` may hold `*` (one segment), `**` (any number) and `{name}` (one segment).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct AccessRule {
    service: String,
    method: String,
    path: String,
}

impl AccessRule {
    /// A rule for one service type, method and path pattern.
    ///
    /// # Errors
    /// [`IdentityError::AccessRule`] for an empty or odd service type, an unknown method, or a path that does not
    /// start with `/`, holds a space or control character, or is longer than 1,024 bytes.
    pub fn new(service: &str, method: &str, path: &str) -> Result<Self, IdentityError> {
        let service_fits = !service.is_empty()
            && service.len() <= 64
            && service
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
        let path_fits =
            path.starts_with('/') && path.len() <= 1024 && path.bytes().all(|byte| byte.is_ascii_graphic());
        if !service_fits || !METHODS.contains(&method) || !path_fits {
            return Err(IdentityError::AccessRule);
        }
        Ok(Self {
            service: service.to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
        })
    }

    /// The service type, as in the catalog: `compute`.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The HTTP method, in capitals.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path pattern, beginning with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the rule allows this request. `path` is compared as sent, without its query.
    ///
    /// # Security
    /// A path that holds an empty, `.` or `..` segment, or an encoded slash or dot, never matches: a service may
    /// resolve it to another place than the one that was compared.
    #[must_use]
    pub fn allows(&self, service: &str, method: &str, path: &str) -> bool {
        self.service == service && self.method == method && is_plain(path) && matches_path(&self.path, path)
    }
}

fn is_plain(path: &str) -> bool {
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let trimmed = rest.strip_suffix('/').unwrap_or(rest);
    let lower = path.to_ascii_lowercase();
    let resolves_elsewhere = |segment: &str| matches!(segment, "." | "..");
    !lower.contains("%2f")
        && !lower.contains("%2e")
        && !lower.contains("%5c")
        && !path.contains('\\')
        && (trimmed.is_empty()
            || trimmed
                .split('/')
                .all(|segment| !segment.is_empty() && !resolves_elsewhere(segment)))
}

/// Both texts by segments; `**` tries to take none, then one more at a time (at most one `**` is tried deeply, since
/// a failed suffix after the last one ends the comparison).
fn matches_path(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    let (mut at, mut seen) = (0_usize, 0_usize);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(segment) = path.get(seen) {
        match pattern.get(at) {
            Some(&"**") => {
                retry = Some((at, seen));
                at = at.saturating_add(1);
            }
            Some(expected) if segment_matches(expected, segment) => {
                at = at.saturating_add(1);
                seen = seen.saturating_add(1);
            }
            Some(_) | None => {
                let Some((star, taken)) = retry else { return false };
                let taken = taken.saturating_add(1);
                retry = Some((star, taken));
                at = star.saturating_add(1);
                seen = taken;
            }
        }
    }
    pattern
        .get(at..)
        .is_some_and(|rest| rest.iter().all(|segment| *segment == "**"))
}

fn segment_matches(expected: &str, segment: &str) -> bool {
    let is_placeholder = expected == "*" || (expected.starts_with('{') && expected.ends_with('}'));
    if is_placeholder {
        !segment.is_empty()
    } else {
        expected == segment
    }
}

impl<'de> Deserialize<'de> for AccessRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wire {
            service: String,
            method: String,
            path: String,
        }
        let wire = Wire::deserialize(deserializer)?;
        Self::new(&wire.service, &wire.method, &wire.path).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_keystone_documents_them() {
        let cases = [
            ("/v2.1/servers/*", "/v2.1/servers/1", true),
            ("/v2.1/servers/*", "/v2.1/servers/1/action", false),
            ("/v2.1/servers/*", "/v2.1/servers/", false),
            ("/v2.1/servers/**", "/v2.1/servers/1/action", true),
            ("/v2.1/servers/**", "/v2.1/servers", true),
            ("/v2.1/**/action", "/v2.1/a/b/action", true),
            ("/v2.1/**/action", "/v2.1/a/b/actions", false),
            ("/v2.1/servers/{id}", "/v2.1/servers/7", true),
            ("/v2.1/servers", "/v2.1/servers/", false),
            ("/v2.1/**", "/v2.1/../v3/users", false),
            ("/v2.1/**", "/v2.1/%2e%2e/v3/users", false),
            ("/v2.1/**", "/v2.1//users", false),
            ("/v2.1/**", "/v2.1/a%2Fb", false),
        ];
        for (pattern, path, want) in cases {
            let rule = AccessRule::new("compute", "GET", pattern).unwrap();
            assert_eq!(rule.allows("compute", "GET", path), want, "{pattern} {path}");
            assert!(!rule.allows("compute", "POST", path), "another method");
            assert!(!rule.allows("volume", "GET", path), "another service");
        }
    }

    #[test]
    fn many_stars_end_in_time_linear_in_their_product() {
        let rule = AccessRule::new("compute", "GET", &"/**".repeat(300)).unwrap();
        assert!(rule.allows("compute", "GET", &"/a".repeat(5_000)));
        let never = AccessRule::new("compute", "GET", &format!("{}/z", "/**/a".repeat(100))).unwrap();
        assert!(!never.allows("compute", "GET", &"/a".repeat(5_000)));
    }

    #[test]
    fn odd_rules_are_refused() {
        for (service, method, path) in [
            ("", "GET", "/"),
            ("Compute", "GET", "/"),
            ("compute", "get", "/"),
            ("compute", "TRACE", "/"),
            ("compute", "GET", "v2"),
            ("compute", "GET", "/a b"),
            ("compute", "GET", "/a\r\nx"),
        ] {
            assert!(
                AccessRule::new(service, method, path).is_err(),
                "{service} {method} {path}"
            );
        }
    }
}
