//! Just enough of HTML to look at our own pages: well-formed tags, quoted attributes, no comments.

/// Elements that have no end tag.
const VOID: &[&str] = &["img", "input", "link", "meta", "source"];

#[derive(Debug)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: Vec<(String, String)>,
    /// All text inside, also of elements within.
    pub(crate) text: String,
    parents: Vec<usize>,
    parent_names: Vec<String>,
}

impl Element {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        let mut found = self.attributes.iter().filter(|(other, _)| other == name);
        let first = found.next().map(|(_, value)| &**value);
        assert!(found.next().is_none(), "{name} twice");
        first
    }

    pub(crate) fn within(&self, name: &str) -> bool {
        self.parent_names.iter().any(|parent| parent == name)
    }
}

#[derive(Debug)]
pub(crate) struct Document(Vec<Element>);

impl Document {
    pub(crate) fn parse(html: &str) -> Self {
        let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a document type");
        let mut elements: Vec<Element> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        while let Some(at) = rest.find('<') {
            let (text, tag) = rest.split_at(at);
            for index in &open {
                elements[*index].text.push_str(&unescaped(text));
            }
            if let Some(end) = tag.strip_prefix("</") {
                let (name, after) = end.split_once('>').unwrap();
                let index = open.pop().expect("an open element");
                assert_eq!(elements[index].name, name, "closed in the order opened");
                rest = after;
                continue;
            }
            let (element, closed, after) = tag_of(&tag[1..]);
            rest = after;
            let parent_names = open.iter().map(|index| elements[*index].name.clone()).collect();
            let void = closed || VOID.contains(&&*element.0);
            elements.push(Element {
                name: element.0,
                attributes: element.1,
                text: String::new(),
                parents: open.clone(),
                parent_names,
            });
            if !void {
                open.push(elements.len() - 1);
            }
        }
        assert!(open.is_empty(), "everything is closed");
        Self(elements)
    }

    pub(crate) fn elements(&self) -> impl Iterator<Item = &Element> {
        self.0.iter()
    }

    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &Element> + use<'_> {
        self.0
            .iter()
            .filter(|element| element.name == name)
            .collect::<Vec<_>>()
            .into_iter()
    }

    pub(crate) fn one(&self, name: &str) -> &Element {
        let mut found = self.all(name);
        let first = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none(), "{name} twice");
        first
    }

    pub(crate) fn with_id(&self, id: &str) -> usize {
        self.0
            .iter()
            .filter(|element| element.attribute("id") == Some(id))
            .count()
    }

    /// Elements of this name within the element of this index.
    pub(crate) fn inside(&self, index: usize, name: &str) -> impl Iterator<Item = &Element> + use<'_> {
        self.all(name)
            .filter(move |element| element.parents.contains(&index))
    }
}

type Tag = (String, Vec<(String, String)>);

/// A start tag behind its `<`: the element, whether it is closed already, and what follows.
fn tag_of(text: &str) -> (Tag, bool, &str) {
    let end = text.find([' ', '>', '/', '\n']).expect("the end of a name");
    let (name, mut rest) = text.split_at(end);
    assert!(name.bytes().all(|octet| octet.is_ascii_alphanumeric()), "{name}");
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            return ((name.to_owned(), attributes), true, after);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return ((name.to_owned(), attributes), false, after);
        }
        let end = rest
            .find([' ', '=', '>', '\n'])
            .expect("the end of an attribute's name");
        let (attribute, after) = rest.split_at(end);
        assert!(
            attribute
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-'),
            "{attribute}"
        );
        let value = match after.strip_prefix("=\"") {
            Some(quoted) => {
                let (value, after) = quoted.split_once('"').expect("the end of a value");
                rest = after;
                unescaped(value)
            }
            None => {
                rest = after;
                String::new()
            }
        };
        attributes.push((attribute.to_owned(), value));
    }
}

/// Text as a browser reads it: numeric references only, for ours has no others.
pub(crate) fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, reference)) = rest.split_once('&') {
        assert!(!before.contains('>'), "unescaped: {before}");
        plain.push_str(before);
        let (number, after) = reference.split_once(';').expect("a reference");
        let number = number.strip_prefix('#').expect("a number");
        plain.push(
            number
                .parse::<u32>()
                .ok()
                .and_then(char::from_u32)
                .expect("a character"),
        );
        rest = after;
    }
    plain.push_str(rest);
    plain
}
