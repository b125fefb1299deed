use crate::mapping::assertion::Assertion;
use crate::mapping::value::Scalar;
use serde_json::Value;

/// Where values come from: an attribute, or a member inside one, perhaps joined into one text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source {
    pub(crate) path: Vec<String>,
    /// What joins several texts into one. A source that splits takes texts alone, as web servers give them.
    pub(crate) split: Option<char>,
}

/// The values of one source in one assertion.
#[derive(Debug, Default)]
pub(crate) struct Resolved<'a> {
    pub(crate) values: Vec<Scalar<'a>>,
    /// There is something, and it is no value and no list of values: conditions on it can't be decided.
    pub(crate) unusable: bool,
}

impl Source {
    /// The name that people know it by.
    pub(crate) fn name(&self) -> String {
        self.path.join(".")
    }

    pub(crate) fn resolve<'a>(&self, assertion: &'a Assertion) -> Resolved<'a> {
        const UNUSABLE: Resolved<'static> = Resolved {
            values: Vec::new(),
            unusable: true,
        };
        let mut steps = self.path.iter();
        let mut found = steps.next().and_then(|name| assertion.attributes().get(name));
        for step in steps {
            found = match found {
                None | Some(Value::Null) => return Resolved::default(),
                Some(Value::Object(members)) => members.get(step),
                Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
                    return UNUSABLE;
                }
            };
        }
        let values = match (found, self.split) {
            (None | Some(Value::Null), _) => Vec::new(),
            (Some(Value::Object(_)), _) => return UNUSABLE,
            (Some(Value::String(text)), Some(separator)) => text
                .split(separator)
                .filter(|part| !part.is_empty())
                .map(Scalar::Text)
                .collect(),
            (Some(Value::Array(items)), split) => {
                if items.iter().any(|item| item.is_array() || item.is_object()) {
                    return UNUSABLE;
                }
                let scalars = items.iter().filter_map(Scalar::of);
                let fits = |scalar: &Scalar<'_>| split.is_none() || matches!(scalar, Scalar::Text(_));
                scalars.filter(fits).collect()
            }
            (Some(Value::Bool(_) | Value::Number(_)), Some(_)) => Vec::new(),
            (Some(value), None) => Scalar::of(value).into_iter().collect(),
        };
        Resolved {
            values,
            unusable: false,
        }
    }

    /// Whether the assertion says that this attribute is not verified: beside `email` there is `email_verified`, in
    /// whatever letter case and with `-` or `_`, and it is not true.
    pub(crate) fn is_unverified(&self, assertion: &Assertion) -> bool {
        let Some((last, above)) = self.path.split_last() else {
            return false;
        };
        let companion = plain(&format!("{last}_verified"));
        let denies = |(name, value): (&String, &Value)| plain(name) == companion && !is_true(value);
        let mut steps = above.iter();
        let Some(first) = steps.next() else {
            return assertion.attributes().iter().any(denies);
        };
        let mut found = assertion.attributes().get(first);
        for step in steps {
            found = found.and_then(|value| value.get(step));
        }
        found
            .and_then(Value::as_object)
            .is_some_and(|members| members.iter().any(denies))
    }
}

fn plain(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_")
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(truth) => *truth,
        Value::String(text) => text.eq_ignore_ascii_case("true") || text == "1",
        Value::Number(number) => number.as_u64() == Some(1),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}
