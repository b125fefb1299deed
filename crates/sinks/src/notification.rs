//! How Keystone tells of its own events, and so of ours: `oslo.messaging` notifications, message format 2.0.

use serde_json::{Value, json};

/// The type of a notification in Keystone's words: `identity.authenticate` for every proof of who somebody is, else
/// `identity.RESOURCE.OPERATION`, as `identity.oauth2_client.created`.
///
/// ```
/// use sealstone_sinks::event_type;
/// assert_eq!(event_type("authenticate/token"), "identity.authenticate");
/// assert_eq!(event_type("create/oauth2_client"), "identity.oauth2_client.created");
/// assert_eq!(event_type("revoke/key"), "identity.key.revoked");
/// assert_eq!(event_type("backup/store"), "identity.store.backed_up");
/// ```
#[must_use]
pub fn event_type(action: &str) -> String {
    let (verb, resource) = action.split_once('/').unwrap_or((action, ""));
    let done = match verb {
        "authenticate" => return "identity.authenticate".to_owned(),
        "create" => "created",
        "update" => "updated",
        "delete" => "deleted",
        "revoke" => "revoked",
        "renew" => "renewed",
        "evaluate" => "evaluated",
        "allow" => "allowed",
        "deny" => "denied",
        "read" => "read",
        "notify" => "notified",
        "start" => "started",
        "stop" => "stopped",
        "configure" => "configured",
        "backup" => "backed_up",
        "restore" => "restored",
        other => other,
    };
    format!("identity.{resource}.{done}")
}

/// The body of the message: the envelope, with the notification in it as text. None for what is no event.
///
/// `message_id` and `_unique_id` are the event's own id: an `oslo.messaging` consumer drops one that comes again soon.
#[must_use]
pub fn notification(event: &[u8]) -> Option<Vec<u8>> {
    let event: Value = serde_json::from_slice(event).ok()?;
    let text = |path: &str| event.pointer(path).and_then(Value::as_str);
    let id = text("/id")?;
    let action = text("/action")?;
    let node = text("/attachments/0/content/node").unwrap_or("sealstone");
    // `2026-01-02 03:03:04.000000`, as `oslo.utils` writes it.
    let timestamp = text("/eventTime")?.split('+').next()?.replace('T', " ");
    let message = json!({
        "message_id": id,
        "_unique_id": id.replace('-', ""),
        "publisher_id": format!("identity.sealstone-{node}"),
        "event_type": event_type(action),
        "priority": "INFO",
        "timestamp": timestamp,
        "payload": event,
    });
    let envelope = json!({"oslo.version": "2.0", "oslo.message": message.to_string()});
    Some(envelope.to_string().into_bytes())
}
