/// The fields of spans that leave the process, and by which name: those of the semantic conventions where they have one.
///
/// # Security
/// A list of what may be told, so that a field added elsewhere stays in the process until somebody puts it here. None of
/// them holds what a caller sent but a method that is known, and an id of a request.
pub const ATTRIBUTES: [(&str, &str); 22] = [
    ("db.operation.name", "db.operation.name"),
    ("db.query.text", "db.query.text"),
    ("db.system.name", "db.system.name"),
    ("domain.id", "sealstone.domain.id"),
    ("endpoint", "sealstone.endpoint"),
    ("error.type", "error.type"),
    ("http.request.method", "http.request.method"),
    ("http.response.status_code", "http.response.status_code"),
    ("http.route", "http.route"),
    ("key.home", "sealstone.key.home"),
    ("keystone.operation", "sealstone.keystone.operation"),
    ("network.protocol.name", "network.protocol.name"),
    ("network.protocol.version", "network.protocol.version"),
    ("privacyidea.operation", "sealstone.privacyidea.operation"),
    ("request.id", "sealstone.request_id"),
    ("server.address", "server.address"),
    ("server.port", "server.port"),
    ("status", "http.response.status_code"),
    ("upstream.step", "sealstone.upstream.step"),
    ("url.scheme", "url.scheme"),
    ("url.template", "url.template"),
    ("user_agent.synthetic.type", "user_agent.synthetic.type"),
];

/// The name under which a field leaves the process, if it does.
pub(crate) fn told_as(field: &str) -> Option<&'static str> {
    let place = ATTRIBUTES.binary_search_by_key(&field, |(name, _)| name);
    place
        .ok()
        .and_then(|place| ATTRIBUTES.get(place))
        .map(|(_, told)| *told)
}

#[cfg(test)]
mod tests {
    use super::{ATTRIBUTES, told_as};

    #[test]
    fn every_field_is_found_and_no_other() {
        for (field, told) in ATTRIBUTES {
            assert_eq!(told_as(field), Some(told));
        }
        for other in [
            "message",
            "url.full",
            "url.query",
            "url.path",
            "client_secret",
            "",
            "Status",
            "http.request",
        ] {
            assert_eq!(told_as(other), None, "{other}");
        }
    }
}
