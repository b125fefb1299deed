use serde::Deserialize;

/// How many of the `sent` spans the collector says that it did not take, by the body of a 200 answer.
///
/// No body, no JSON, and a number that cannot be (negative, or more than were sent) are answers too: of things in
/// between, and of collectors that count wrongly. What cannot be read rejects nothing, more than everything is everything.
///
/// # Examples
/// ```
/// use sealstone_telemetry::rejected_spans;
///
/// assert_eq!(rejected_spans(br#"{"partialSuccess":{"rejectedSpans":"3"}}"#, 10), 3);
/// assert_eq!(rejected_spans(b"{}", 10), 0);
/// ```
#[must_use]
pub fn rejected_spans(body: &[u8], sent: usize) -> usize {
    let answer: Answer = serde_json::from_slice(body).unwrap_or_default();
    let rejected = match answer.partial_success.and_then(|partial| partial.rejected_spans) {
        Some(Rejected::Text(text)) => text.parse::<i64>().unwrap_or_default(),
        Some(Rejected::Number(number)) => number,
        Some(Rejected::Other(_)) | None => 0,
    };
    usize::try_from(rejected.max(0)).unwrap_or(usize::MAX).min(sent)
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Answer {
    partial_success: Option<PartialSuccess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartialSuccess {
    rejected_spans: Option<Rejected>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Rejected {
    Text(String),
    Number(i64),
    Other(serde::de::IgnoredAny),
}

#[cfg(test)]
mod tests {
    use super::rejected_spans;

    #[test]
    fn what_a_collector_may_say() {
        for (body, want) in [
            ("", 0),
            ("{}", 0),
            ("null", 0),
            ("OK", 0),
            ("<html>", 0),
            ("[]", 0),
            (r#"{"partialSuccess":null}"#, 0),
            (r#"{"partialSuccess":{}}"#, 0),
            (r#"{"partialSuccess":[]}"#, 0),
            (
                r#"{"partialSuccess":{"rejectedSpans":"4","errorMessage":"too old"}}"#,
                4,
            ),
            (r#"{"partialSuccess":{"rejectedSpans":4}}"#, 4),
            (r#"{"partialSuccess":{"rejectedSpans":"11"}}"#, 10),
            (r#"{"partialSuccess":{"rejectedSpans":99999999999999999999}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":-1}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":"many"}}"#, 0),
            (r#"{"partialSuccess":{"rejectedSpans":{"a":1}}}"#, 0),
            (
                r#"{"more":1,"partialSuccess":{"rejectedSpans":"2","more":[]}}"#,
                2,
            ),
        ] {
            assert_eq!(rejected_spans(body.as_bytes(), 10), want, "{body}");
        }
    }
}
