//! What an error was caused by, in a log of JSON: the library writes it in text alone.

use serde::Serialize as _;
use std::error::Error;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// A format of JSON, with `error.sources` beside an error that has any, as in text: the nearest first.
pub(super) struct WithCauses<F>(pub(super) F);

impl<S, N, F> FormatEvent<S, N> for WithCauses<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut causes = Causes::default();
        event.record(&mut causes);
        if causes.0.is_empty() {
            return self.0.format_event(context, writer, event);
        }
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        // One object a line: what is not, is left as it is.
        let Some(members) = line.trim_end().strip_suffix('}') else {
            return writer.write_str(&line);
        };
        writer.write_str(members)?;
        for (name, causes) in causes.0 {
            let mut text = Vec::new();
            let mut serializer = serde_json::Serializer::new(&mut text);
            causes.serialize(&mut serializer).map_err(|_error| fmt::Error)?;
            let text = String::from_utf8(text).map_err(|_error| fmt::Error)?;
            write!(writer, ",\"{name}.sources\":{text}")?;
        }
        writer.write_str("}\n")
    }
}

/// The fields that are errors with a cause.
#[derive(Default)]
struct Causes(Vec<(&'static str, Vec<String>)>);

impl Visit for Causes {
    fn record_debug(&mut self, _field: &Field, _value: &dyn fmt::Debug) {}

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut sources = Vec::new();
        let mut next = value.source();
        while let Some(source) = next {
            sources.push(source.to_string());
            next = source.source();
        }
        if !sources.is_empty() {
            self.0.push((field.name(), sources));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::io;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Debug, thiserror::Error)]
    #[error("the database can't be reached")]
    struct Outer(#[source] Middle);

    #[derive(Debug, thiserror::Error)]
    #[error("a \"quoted\"\nname")]
    struct Middle(#[source] io::Error);

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    fn logged(event: impl FnOnce()) -> Value {
        let lines = Lines::default();
        let log = tracing_subscriber::fmt()
            .with_writer(lines.clone())
            .json()
            .flatten_event(true)
            .map_event_format(WithCauses)
            .finish();
        tracing::subscriber::with_default(log, event);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_cause_of_an_error_is_told_nearest_first() {
        let error = Outer(Middle(io::Error::from_raw_os_error(111)));
        let error: &dyn Error = &error;
        let line = logged(|| {
            let span = tracing::info_span!("request", request.id = "r-1");
            span.in_scope(|| tracing::error!(error, receiver = "x", "it failed"));
        });
        assert_eq!(line["error"], "the database can't be reached");
        let sources = &line["error.sources"];
        assert_eq!(sources[0], "a \"quoted\"\nname");
        assert!(sources[1].as_str().unwrap().contains("refused"), "{sources}");
        assert_eq!(
            (&line["message"], &line["receiver"]),
            (&"it failed".into(), &"x".into())
        );
        assert_eq!(line["span"]["request.id"], "r-1");
    }

    #[test]
    fn an_error_without_a_cause_and_no_error_are_told_as_before() {
        let error = io::Error::from_raw_os_error(111);
        let error: &dyn Error = &error;
        for line in [
            logged(|| tracing::error!(error, "it failed")),
            logged(|| tracing::info!(count = 3, "all is well")),
        ] {
            assert!(
                line.get("error.sources").is_none() && line["message"].is_string(),
                "{line}"
            );
        }
    }
}
