//! As much of YAML as `clouds.yaml` has: mappings of text, with the places where they stand.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// The largest file: a thousand clouds.
const MAX_TEXT: usize = 1024 * 1024;
/// The most nodes, with those that aliases repeat: what a few lines of aliases come to is bounded, too.
const MAX_NODES: usize = 50_000;
/// The deepest nesting: `clouds.yaml` has six levels.
const MAX_DEPTH: usize = 32;

/// Why a text is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum YamlError {
    /// It is larger than 1 MiB.
    #[error("it is larger than 1 MiB")]
    Large,
    /// It holds more than is taken, aliases counted.
    #[error("it holds more than {MAX_NODES} values, aliases counted")]
    Nodes,
    /// It is nested deeper than is taken.
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    Deep,
    /// It is no YAML.
    #[error("line {line}: {what}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
    /// A part that is no text stands where a name must be, or an alias repeats nothing.
    #[error("line {line}: a plain name must stand here")]
    Name {
        /// The line, from 1.
        line: usize,
    },
}

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) content: Content,
    /// Its first character, and the one behind its last, counted in characters.
    pub(super) at: (usize, usize),
    /// The column where it begins, from 0.
    pub(super) column: usize,
    /// Whether it is written with brackets, quotes, an anchor or an alias: what is not edited.
    pub(super) odd: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Content {
    Text(String),
    Nothing,
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The value of a member; the last of that name, as Python reads it.
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        self.members()
            .iter()
            .rev()
            .find(|(key, _)| key.text() == Some(name))
            .map(|(_, value)| value)
    }

    pub(super) fn members(&self) -> &[(Self, Self)] {
        match &self.content {
            Content::Map(members) => members,
            Content::Text(_) | Content::Nothing | Content::List(_) => &[],
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Nothing | Content::List(_) | Content::Map(_) => None,
        }
    }

    pub(super) const fn is_map(&self) -> bool {
        matches!(self.content, Content::Map(_))
    }

    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self.content, Content::Nothing)
    }

    fn size(&self) -> usize {
        let below: usize = match &self.content {
            Content::Text(_) | Content::Nothing => 0,
            Content::List(items) => items.iter().map(Self::size).sum(),
            Content::Map(members) => members
                .iter()
                .map(|(key, value)| key.size().saturating_add(value.size()))
                .sum(),
        };
        below.saturating_add(1)
    }
}

/// Whether both say the same, wherever it stands.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        match (&self.content, &other.content) {
            (Content::Text(one), Content::Text(two)) => one == two,
            (Content::Nothing, Content::Nothing) => true,
            (Content::List(one), Content::List(two)) => one == two,
            (Content::Map(one), Content::Map(two)) => one == two,
            _ => false,
        }
    }
}

/// The first document of a text; `None` when there is none.
pub(super) fn parse(text: &str) -> Result<Option<Node>, YamlError> {
    if text.len() > MAX_TEXT {
        return Err(YamlError::Large);
    }
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        anchors: Vec::new(),
        nodes: 0,
    };
    loop {
        match reader.next()? {
            (Event::Nothing | Event::StreamStart | Event::DocumentStart(_), _) => {}
            (Event::StreamEnd | Event::DocumentEnd, _) => return Ok(None),
            (event, span) => return reader.node(event, span, 0).map(Some),
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: Vec<(usize, Node)>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), YamlError> {
        match self.parser.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(YamlError::Syntax {
                line: error.marker().line(),
                what: error.info().to_owned(),
            }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, YamlError> {
        if depth > MAX_DEPTH {
            return Err(YamlError::Deep);
        }
        self.count(1)?;
        let (start, column, line) = (span.start.index(), span.start.col(), span.start.line());
        let (content, end, odd, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                // What PyYAML reads as null.
                let nothing = plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if nothing {
                    Content::Nothing
                } else {
                    Content::Text(text.into_owned())
                };
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                (content, span.end.index(), block, anchor)
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, span) => break span.end.index(),
                        (event, span) => items.push(self.node(event, span, depth.saturating_add(1))?),
                    }
                };
                (Content::List(items), end, true, anchor)
            }
            Event::MappingStart(anchor, _) => {
                let (members, end) = self.members(depth)?;
                // A mapping in braces has its brace before its first name.
                let braces = members
                    .first()
                    .is_none_or(|(key, _): &(Node, Node)| key.at.0 != start);
                (Content::Map(merged(members)), end, braces, anchor)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.iter().rev().find(|(id, _)| *id == anchor);
                let mut node = known
                    .map(|(_, node)| node.clone())
                    .ok_or(YamlError::Name { line })?;
                self.count(node.size())?;
                node.odd = true;
                node.at = (start, span.end.index());
                return Ok(node);
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(YamlError::Name { line }),
        };
        let node = Node {
            content,
            at: (start, end),
            column,
            odd: odd || anchor != 0,
        };
        if anchor != 0 {
            self.anchors.push((anchor, node.clone()));
            self.count(node.size())?;
        }
        Ok(node)
    }

    fn members(&mut self, depth: usize) -> Result<(Vec<(Node, Node)>, usize), YamlError> {
        let deeper = depth.saturating_add(1);
        let mut members = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok((members, span.end.index()));
            }
            let line = span.start.line();
            let key = self.node(event, span, deeper)?;
            if key.text().is_none() {
                return Err(YamlError::Name { line });
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, deeper)?;
            members.push((key, value));
        }
    }

    fn count(&mut self, nodes: usize) -> Result<(), YamlError> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(YamlError::Nodes);
        }
        Ok(())
    }
}

/// With what `<<` brings: behind what is written here, which comes first.
fn merged(members: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    if !members.iter().any(|(key, _)| key.text() == Some("<<")) {
        return members;
    }
    let (merges, own): (Vec<_>, Vec<_>) = members.into_iter().partition(|(key, _)| key.text() == Some("<<"));
    let mut all = Vec::new();
    for (_, value) in merges.into_iter().rev() {
        let sources = match value.content {
            // The first of a list comes before the others.
            Content::List(items) => items.into_iter().rev().collect(),
            Content::Text(_) | Content::Nothing => Vec::new(),
            Content::Map(_) => vec![value],
        };
        for source in sources {
            if let Content::Map(members) = source.content {
                let marked = members.into_iter().map(|(mut key, mut value)| {
                    key.odd = true;
                    value.odd = true;
                    (key, value)
                });
                all.extend(marked);
            }
        }
    }
    // The last of a name counts.
    all.extend(own);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Node {
        parse(text).unwrap().unwrap()
    }

    #[test]
    fn the_last_of_a_name_counts_and_merges_come_before() {
        let node = read("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\nc: ~\nd: yes\nd: no\n");
        let b = node.member("b").unwrap();
        assert_eq!(b.member("k").unwrap().text(), Some("3"));
        assert_eq!(b.member("l").unwrap().text(), Some("2"));
        assert!(node.member("c").unwrap().is_nothing());
        assert_eq!(node.member("d").unwrap().text(), Some("no"));
    }

    #[test]
    fn numbers_stay_as_they_are_written() {
        assert_eq!(
            read("id: 0012345678e1").member("id").unwrap().text(),
            Some("0012345678e1")
        );
    }

    #[test]
    fn what_blows_up_is_refused() {
        let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, below) in [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d"), ("f", "e")] {
            let many = format!("*{below}, ").repeat(10);
            bomb.push_str(&format!("{name}: &{name} [{many}]\n"));
        }
        assert_eq!(parse(&bomb).unwrap_err(), YamlError::Nodes);
        assert_eq!(parse(&"[".repeat(100)).unwrap_err(), YamlError::Deep);
        assert_eq!(parse(&" ".repeat(MAX_TEXT + 1)).unwrap_err(), YamlError::Large);
        for (text, line) in [
            ("a: b: c", 1),
            ("a: 1\n b: 2\n", 2),
            ("a: *nobody", 1),
            ("\t- x: [", 1),
        ] {
            match parse(text).unwrap_err() {
                YamlError::Syntax { line: found, .. } | YamlError::Name { line: found } => {
                    assert!(found >= line)
                }
                error => panic!("{text}: {error}"),
            }
        }
        assert!(parse("? [a]\n: b\n").is_err(), "a name that is no text");
        assert_eq!(parse("").unwrap(), None);
        assert_eq!(parse("# nothing\n").unwrap(), None);
    }
}
