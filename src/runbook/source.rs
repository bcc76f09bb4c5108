//! Bytes → a tree of values with their places.
//!
//! Strict on purpose: one document, no tags, no duplicate keys, `true` and `false` are the only booleans, and what
//! does not read as a plain decimal number is text. Size, nodes, nesting and what aliases repeat are bounded, so that
//! no file, however made, costs more than a moment. Never reads a file and never knows what a key means.

mod scalar;
mod tree;

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use serde_saphyr::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, ScanError};

pub use tree::{Entry, Node, Value, entries_to_json};

use super::problem::{Notebook, Problem, Problems, Source, Span, mistake};

/// A runbook of 100,000 steps has about 15 MB.
const MOST_BYTES: usize = 16 << 20;

/// 100,000 steps with twenty values each.
const MOST_NODES: usize = 2_000_000;

/// Aliases save typing in files that people write; beyond this it is a bomb.
const MOST_ALIASED_NODES: usize = 100_000;

/// A step's deepest field stands about eight deep.
const DEEPEST: usize = 32;

/// From this many entries on, a map's keys are looked up by hash.
const LARGE_MAP: usize = 16;

/// The text of a file, or why it has none.
///
/// # Errors
/// It is too large, or not UTF-8.
pub fn text(file_name: &str, bytes: &[u8]) -> Result<Arc<Source>, Problems> {
    if bytes.len() > MOST_BYTES {
        return Err(mistake::too_large(bytes.len(), MOST_BYTES)
            .at(Source::new(file_name, String::new()).place(Span::default()))
            .into());
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(file_name, text.to_owned())),
        Err(error) => {
            let at = error.valid_up_to();
            let source = Source::new(file_name, String::from_utf8_lossy(bytes).into_owned());
            Err(mistake::not_utf8(bytes[at]).at(source.place(Span::new(at, at + 1))).into())
        }
    }
}

/// Reads the one document of a file. `None`: the notebook says why. `what` is the thing an empty file lacks: "a runbook".
pub fn read<'t>(text: &'t str, what: &str, notebook: &mut Notebook) -> Option<Node<'t>> {
    let builder =
        Builder { text, notebook, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, aliased: 0, root: None };
    match builder.build() {
        Ok(Some(Node { value: Value::Null, span })) => {
            notebook.add(span, mistake::empty_file(what));
            None
        }
        Ok(Some(root)) => Some(root),
        Ok(None) => {
            notebook.add(Span::default(), mistake::empty_file(what));
            None
        }
        Err(stopped) => {
            notebook.add(stopped.span, stopped.problem);
            None
        }
    }
}

/// What makes the rest of the file unreadable.
struct Stopped {
    span: Span,
    problem: Problem,
}

enum Frame<'t> {
    List {
        items: Vec<Node<'t>>,
        start: usize,
        anchor: usize,
    },
    Map {
        entries: Vec<Entry<'t>>,
        key: Option<Key<'t>>,
        seen: HashMap<Cow<'t, str>, Span>,
        start: usize,
        anchor: usize,
    },
}

/// A key that waits for its value. `None`: it is no text, which was told, and its value is left out.
type Key<'t> = (Option<Cow<'t, str>>, Span);

struct Builder<'t, 'n> {
    text: &'t str,
    notebook: &'n mut Notebook,
    stack: Vec<Frame<'t>>,
    /// Anchor id → the finished node and how many nodes it holds.
    anchors: HashMap<usize, (Node<'t>, usize)>,
    nodes: usize,
    aliased: usize,
    root: Option<Node<'t>>,
}

impl<'t> Builder<'t, '_> {
    fn build(mut self) -> Result<Option<Node<'t>>, Stopped> {
        let mut options = granit_parser::Options::default();
        options.emit_comments = false;
        options.block_nesting_limit = DEEPEST;
        options.flow_nesting_limit = DEEPEST;
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(self.text, options) {
            let (event, span) = event.map_err(|error| self.scan_error(&error))?;
            if let Some(tag) = span.tag_span().and_then(|tag| tag.byte_range()) {
                self.notebook.add(Span::new(tag.start, tag.end), mistake::tag_not_supported());
            }
            let span = span.byte_range().map_or(Span::default(), |range| Span::new(range.start, range.end));
            match event {
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(Stopped { span, problem: mistake::several_documents() });
                    }
                }
                event => self.take(event, span)?,
            }
        }
        Ok(self.root)
    }

    fn take(&mut self, event: Event<'t>, span: Span) -> Result<(), Stopped> {
        let start = span.start as usize;
        match event {
            Event::Scalar(text, style, anchor, _) => {
                self.count(span)?;
                let is_key = matches!(self.stack.last(), Some(Frame::Map { key: None, .. }));
                let value = if is_key || style != ScalarStyle::Plain { Value::Text(text) } else { scalar::plain(text) };
                self.place(Node { value, span }, anchor)?;
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(span)?;
                self.stack.push(Frame::List { items: Vec::new(), start, anchor });
            }
            Event::MappingStart(_, anchor, _) => {
                self.open(span)?;
                self.stack.push(Frame::Map { entries: Vec::new(), key: None, seen: HashMap::new(), start, anchor });
            }
            Event::SequenceEnd | Event::MappingEnd => match self.stack.pop() {
                Some(Frame::List { items, start, anchor }) => {
                    let span = Span::new(start, span.end as usize);
                    self.place(Node { value: Value::List(items), span }, anchor)?;
                }
                Some(Frame::Map { entries, start, anchor, .. }) => {
                    let span = Span::new(start, span.end as usize);
                    self.place(Node { value: Value::Map(entries), span }, anchor)?;
                }
                None => {}
            },
            Event::Alias(id) => self.alias(id, span)?,
            // The ends of documents and of the stream, and events that were not asked for.
            _ => {}
        }
        Ok(())
    }

    fn open(&mut self, span: Span) -> Result<(), Stopped> {
        if self.stack.len() == DEEPEST {
            return Err(Stopped { span, problem: mistake::too_deep(DEEPEST) });
        }
        self.count(span)
    }

    fn count(&mut self, span: Span) -> Result<(), Stopped> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(Stopped { span, problem: mistake::too_many_nodes(MOST_NODES) });
        }
        Ok(())
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<(), Stopped> {
        let Some((node, size)) = self.anchors.get(&id) else {
            return Err(Stopped { span, problem: mistake::unknown_anchor() });
        };
        let size = *size;
        if self.stack.len() + node.depth() > DEEPEST {
            return Err(Stopped { span, problem: mistake::too_deep(DEEPEST) });
        }
        self.copied(size, span)?;
        let node = Node { value: self.anchors[&id].0.value.clone(), span };
        self.place(node, 0)
    }

    /// Nodes that are kept or repeated for aliases.
    fn copied(&mut self, size: usize, span: Span) -> Result<(), Stopped> {
        self.aliased += size;
        if self.aliased > MOST_ALIASED_NODES {
            return Err(Stopped { span, problem: mistake::too_many_aliases(MOST_ALIASED_NODES) });
        }
        Ok(())
    }

    /// Puts a finished node where it belongs.
    fn place(&mut self, node: Node<'t>, anchor: usize) -> Result<(), Stopped> {
        if anchor != 0 {
            let size = node.size();
            self.copied(size, node.span)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Frame::List { items, .. }) => items.push(node),
            Some(Frame::Map { entries, key, seen, .. }) => match key.take() {
                None => {
                    let span = node.span;
                    let text = if let Value::Text(text) = node.value { Some(text) } else { None };
                    if text.is_none() {
                        self.notebook.add(span, mistake::key_not_text());
                    }
                    *key = Some((text, span));
                }
                Some((None, _)) => {}
                Some((Some(key), key_span)) => match seen_before(entries, seen, &key) {
                    Some(first) => {
                        let line = self.notebook.source().place(first).line;
                        self.notebook.add(key_span, mistake::duplicate_key(&key, line));
                    }
                    None => entries.push(Entry { key, key_span, value: node }),
                },
            },
        }
        Ok(())
    }

    fn scan_error(&self, error: &ScanError) -> Stopped {
        let marker = error.marker();
        let at = marker.byte_offset().unwrap_or(0).min(self.text.len());
        let at = self.text.floor_char_boundary(at);
        let line_start = self.text[..at].rfind('\n').map_or(0, |feed| feed + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let indentation = line.len() - line.trim_start_matches([' ', '\t']).len();
        let span = Span::new(at, (at + 1).min(self.text.len()));
        if let Some(tab) = line[..indentation].find('\t') {
            let tab = line_start + tab;
            return Stopped { span: Span::new(tab, tab + 1), problem: mistake::tab_indentation() };
        }
        let problem = match error.kind() {
            ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabInIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInPlainScalar => {
                // The marker stands where the value begins that the tab is in.
                let tab = self.text[at..].find('\t').map_or(at, |tab| at + tab);
                return Stopped { span: Span::new(tab, tab + 1), problem: mistake::tab_indentation() };
            }
            ErrorKind::UnclosedQuotedScalar => mistake::unclosed_quote(),
            ErrorKind::UnclosedFlowCollection { open } => mistake::unclosed_bracket(Some(*open)),
            ErrorKind::UnexpectedEofFlowSequence => mistake::unclosed_bracket(Some('[')),
            ErrorKind::UnexpectedEofFlowMapping | ErrorKind::UnexpectedEofImplicitFlowMapping => {
                mistake::unclosed_bracket(Some('{'))
            }
            ErrorKind::UnknownAnchor => mistake::unknown_anchor(),
            ErrorKind::RecursionLimitExceeded => mistake::too_deep(DEEPEST),
            ErrorKind::UndeclaredTagHandle => mistake::tag_not_supported(),
            other => mistake::yaml_syntax(&other.to_string()),
        };
        Stopped { span, problem }
    }
}

/// Where `key` stands already in this map. Small maps are searched, large ones hashed.
fn seen_before<'t>(entries: &[Entry<'t>], seen: &mut HashMap<Cow<'t, str>, Span>, key: &str) -> Option<Span> {
    if entries.len() < LARGE_MAP {
        return entries.iter().find(|entry| entry.key == key).map(|entry| entry.key_span);
    }
    for entry in &entries[seen.len()..] {
        seen.insert(entry.key.clone(), entry.key_span);
    }
    seen.get(key).copied()
}
