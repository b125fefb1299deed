use crate::mapping::fold::fold;
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Integers up to here are exact as `f64`.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// One value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    Text(&'a str),
    Number(&'a Number),
    Bool(bool),
}

impl<'a> Scalar<'a> {
    /// A value, if it is one: not `null`, not empty, no list and no object.
    pub(crate) fn of(value: &'a Value) -> Option<Self> {
        match value {
            Value::String(text) if !text.is_empty() => Some(Self::Text(text)),
            Value::Number(number) => Some(Self::Number(number)),
            Value::Bool(truth) => Some(Self::Bool(*truth)),
            Value::String(_) | Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// As text: numbers and truth values as JSON writes them, whole numbers without a fraction.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(number) => Cow::Owned(number_text(number)),
        }
    }

    /// What is the same for values of one type that are the same.
    fn typed_key(self) -> (bool, String) {
        (matches!(self, Self::Bool(_)), self.text().into_owned())
    }
}

fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() <= MAX_EXACT => {
            format!("{value:.0}")
        }
        _ => number.to_string(),
    }
}

/// How values are compared with the literals of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Comparison {
    /// Same type, same value.
    Typed,
    /// Same text, whatever the type.
    Text,
    /// Same text after folding, whatever the type: how denials compare.
    Folded,
}

/// Literals, and the questions that each answers with yes.
#[derive(Debug, Clone)]
pub(crate) struct LiteralIndex {
    comparison: Comparison,
    texts: BTreeMap<String, Vec<usize>>,
    /// Numbers and truth values as text, where types count.
    others: BTreeMap<(bool, String), Vec<usize>>,
}

impl LiteralIndex {
    pub(crate) fn new(literals: impl IntoIterator<Item = (Value, usize)>, comparison: Comparison) -> Self {
        let mut texts: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut others: BTreeMap<(bool, String), Vec<usize>> = BTreeMap::new();
        for (value, question) in literals {
            let Some(scalar) = Scalar::of(&value) else {
                continue;
            };
            let questions = match (comparison, scalar) {
                (Comparison::Folded, _) => texts.entry(fold(&scalar.text()).into_owned()),
                (Comparison::Text, _) | (Comparison::Typed, Scalar::Text(_)) => {
                    texts.entry(scalar.text().into_owned())
                }
                (Comparison::Typed, Scalar::Number(_) | Scalar::Bool(_)) => {
                    others.entry(scalar.typed_key()).or_default().push(question);
                    continue;
                }
            };
            questions.or_default().push(question);
        }
        Self {
            comparison,
            texts,
            others,
        }
    }

    /// Calls `yes` with each question that this value answers so.
    pub(crate) fn look_up(&self, value: Scalar<'_>, yes: &mut impl FnMut(usize)) {
        let questions = match (self.comparison, value) {
            (Comparison::Folded, value) => self.texts.get(fold(&value.text()).as_ref()),
            (Comparison::Typed, Scalar::Text(text)) => self.texts.get(text),
            (Comparison::Text, value) => self.texts.get(value.text().as_ref()),
            (Comparison::Typed, value @ (Scalar::Number(_) | Scalar::Bool(_))) => {
                self.others.get(&value.typed_key())
            }
        };
        questions
            .into_iter()
            .flatten()
            .for_each(|question| yes(*question));
    }
}

/// The literals of one list.
#[derive(Debug, Clone)]
pub(crate) struct Literals(LiteralIndex);

impl Literals {
    pub(crate) fn new(values: Vec<Value>, comparison: Comparison) -> Self {
        Self(LiteralIndex::new(
            values.into_iter().map(|value| (value, 0)),
            comparison,
        ))
    }

    pub(crate) fn contain(&self, value: Scalar<'_>) -> bool {
        let mut found = false;
        self.0.look_up(value, &mut |_| found = true);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_count_where_values_are_permitted_and_not_where_they_are_denied() {
        let cases = [
            (json!(true), json!("true"), false),
            (json!(true), json!(true), true),
            (json!("5"), json!(5), false),
            (json!(5), json!(5.0), true),
            (json!(5), json!(6), false),
            (json!("a"), json!("A"), false),
            (json!("a"), json!("a"), true),
        ];
        for (literal, value, typed) in cases {
            let contain = |comparison| {
                Literals::new(vec![literal.clone()], comparison).contain(Scalar::of(&value).unwrap())
            };
            assert_eq!(contain(Comparison::Typed), typed, "{literal} {value}");
            assert_eq!(
                contain(Comparison::Folded),
                value != json!(6),
                "{literal} {value}"
            );
        }
        for nothing in [json!(null), json!(""), json!(["a"]), json!({"a": 1})] {
            assert_eq!(Scalar::of(&nothing), None);
        }
    }
}
