//! A layered drawing of our own: layers from top to bottom, boxes centred, edges as curves. Where an edge passes a
//! layer, it has a place of its own in it, so that no edge runs through a box.

use std::fmt::Write as _;

use super::{Picture, class, colours};
use crate::runbook::Effect;

const MARGIN: usize = 24;
const TITLE_HEIGHT: usize = 40;
const BOX_HEIGHT: usize = 68;
const LAYER_GAP: usize = 56;
const COLUMN_GAP: usize = 28;
/// Of an edge that passes a layer.
const PASS_WIDTH: usize = 12;
/// Average width of a character at 13 px, rounded up.
const CHARACTER_WIDTH: usize = 8;
/// Rounds of sorting each layer by the places of its neighbours; more change nothing on graphs of this size.
const SWEEPS: usize = 6;

/// A drawing this large is no longer looked at edge by edge: from here on, edges run straight.
const MOST_SLOTS: usize = 20_000;

/// A place in a layer: a step's box, or the point where a long edge passes.
struct Slot {
    step: Option<usize>,
    width: usize,
    /// Slots of the layer above that lead here.
    above: Vec<usize>,
    below: Vec<usize>,
    /// Left edge.
    x: usize,
    layer: usize,
}

impl Slot {
    fn middle(&self) -> usize {
        self.x + self.width / 2
    }
}

struct Layout {
    slots: Vec<Slot>,
    /// Slots of each layer, from left to right.
    layers: Vec<Vec<usize>>,
    /// The slots that each edge goes through, both ends included.
    routes: Vec<Vec<usize>>,
    width: usize,
}

pub(super) fn draw(picture: &Picture) -> String {
    let layout = Layout::of(picture);
    let layers = layout.layers.len();
    let width = layout.width.max(picture.title.chars().count() * 10) + 2 * MARGIN;
    let height = TITLE_HEIGHT + 2 * MARGIN + layers * BOX_HEIGHT + layers.saturating_sub(1) * LAYER_GAP;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"system-ui, sans-serif\" font-size=\"13\">\n"
    );
    let title = escape(&picture.title);
    writeln!(svg, "<title>{title}</title>").expect("a string takes everything");
    svg.push_str(
        "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\" fill=\"#555\"/></marker></defs>\n",
    );
    writeln!(svg, "<rect class=\"ground\" width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>")
        .expect("a string takes everything");
    writeln!(
        svg,
        "<text x=\"{MARGIN}\" y=\"{}\" font-size=\"18\" font-weight=\"bold\" fill=\"#1a1a1a\">{title}</text>",
        MARGIN + 14
    )
    .expect("a string takes everything");
    for (route, (from, to)) in layout.routes.iter().zip(&picture.edges) {
        svg.push_str(&edge(&layout, route, picture.is_critical(*from, *to)));
    }
    for slot in &layout.slots {
        if let Some(step) = slot.step {
            svg.push_str(&node(picture, slot, step));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn top(layer: usize) -> usize {
    MARGIN + TITLE_HEIGHT + layer * (BOX_HEIGHT + LAYER_GAP)
}

fn node(picture: &Picture, slot: &Slot, step: usize) -> String {
    let node = &picture.nodes[step];
    let (fill, stroke) = colours(node.effect);
    let (x, y, middle, width) = (slot.x, top(slot.layer), slot.middle(), slot.width);
    let thick = if node.effect == Effect::Irreversible { 3 } else { 1 };
    let mut svg = format!(
        "<g class=\"{}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{BOX_HEIGHT}\" rx=\"8\" fill=\"{fill}\" \
         stroke=\"{stroke}\" stroke-width=\"{thick}\"/>",
        class(node.effect)
    );
    let styles = [("font-weight=\"bold\"", "#1a1a1a"), ("", "#1a1a1a"), ("font-size=\"11\"", "#444444")];
    for (line, (text, (style, colour))) in picture.lines(step).iter().zip(styles).enumerate() {
        write!(
            svg,
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\" {style} fill=\"{colour}\">{}</text>",
            y + 22 + line * 18,
            escape(text)
        )
        .expect("a string takes everything");
    }
    svg.push_str("</g>\n");
    svg
}

/// From the lower edge of a box, through the passes, to the upper edge of another.
fn edge(layout: &Layout, route: &[usize], is_critical: bool) -> String {
    let first = &layout.slots[route[0]];
    let mut path = format!("M{} {}", first.middle(), top(first.layer) + BOX_HEIGHT);
    for pair in route.windows(2) {
        let (from, to) = (&layout.slots[pair[0]], &layout.slots[pair[1]]);
        let (start, end) = (top(from.layer) + BOX_HEIGHT, top(to.layer));
        let half = usize::midpoint(start, end);
        let arrow = if to.step.is_some() { 2 } else { 0 };
        write!(path, " C{} {half} {} {half} {} {}", from.middle(), to.middle(), to.middle(), end - arrow)
            .expect("a string takes everything");
        if to.step.is_none() {
            write!(path, " L{} {}", to.middle(), end + BOX_HEIGHT).expect("a string takes everything");
        }
    }
    let (class, width) = if is_critical { ("edge critical", " stroke-width=\"3\"") } else { ("edge", "") };
    format!("<path class=\"{class}\" d=\"{path}\" fill=\"none\" stroke=\"#555\"{width} marker-end=\"url(#arrow)\"/>\n")
}

impl Layout {
    fn of(picture: &Picture) -> Self {
        let mut layout = Self {
            slots: Vec::new(),
            layers: picture.layers(),
            routes: Vec::with_capacity(picture.edges.len()),
            width: 0,
        };
        let mut slot_of = vec![0; picture.nodes.len()];
        for (layer, steps) in layout.layers.iter_mut().enumerate() {
            for step in steps {
                let longest = picture.lines(*step).iter().map(|line| line.chars().count()).max();
                let width = longest.unwrap_or(0) * CHARACTER_WIDTH + 24;
                slot_of[*step] = layout.slots.len();
                let slot = Slot { step: Some(*step), width, above: Vec::new(), below: Vec::new(), x: 0, layer };
                *step = layout.slots.len();
                layout.slots.push(slot);
            }
        }
        for (from, to) in &picture.edges {
            layout.route(slot_of[*from], slot_of[*to]);
        }
        layout.sort();
        layout.place();
        layout
    }

    /// Adds the passes of an edge in the layers between its ends.
    fn route(&mut self, from: usize, to: usize) {
        let mut route = vec![from];
        for layer in self.slots[from].layer + 1..self.slots[to].layer {
            if self.slots.len() > MOST_SLOTS {
                break;
            }
            let pass = self.slots.len();
            self.slots.push(Slot { step: None, width: PASS_WIDTH, above: vec![], below: vec![], x: 0, layer });
            self.layers[layer].push(pass);
            route.push(pass);
        }
        route.push(to);
        for pair in route.windows(2) {
            self.slots[pair[0]].below.push(pair[1]);
            self.slots[pair[1]].above.push(pair[0]);
        }
        self.routes.push(route);
    }

    /// Each layer by the average place of its neighbours, downwards and upwards in turn: few edges cross.
    fn sort(&mut self) {
        let mut place = vec![0.0; self.slots.len()];
        for layer in &self.layers {
            for (at, slot) in layer.iter().enumerate() {
                place[*slot] = at as f64;
            }
        }
        for sweep in 0..SWEEPS {
            let downwards = sweep % 2 == 0;
            let count = self.layers.len();
            for turn in 0..count {
                let layer = if downwards { turn } else { count - 1 - turn };
                let slots = &self.slots;
                let wanted = |slot: usize| {
                    let near = if downwards { &slots[slot].above } else { &slots[slot].below };
                    if near.is_empty() {
                        return place[slot];
                    }
                    near.iter().map(|other| place[*other]).sum::<f64>() / near.len() as f64
                };
                let mut keyed: Vec<(f64, usize)> =
                    self.layers[layer].iter().map(|slot| (wanted(*slot), *slot)).collect();
                keyed.sort_by(|one, other| one.0.total_cmp(&other.0));
                for (at, (_, slot)) in keyed.iter().enumerate() {
                    place[*slot] = at as f64;
                }
                self.layers[layer] = keyed.into_iter().map(|(_, slot)| slot).collect();
            }
        }
    }

    /// Side by side, every layer centred.
    fn place(&mut self) {
        let widths: Vec<usize> = self
            .layers
            .iter()
            .map(|layer| {
                let boxes: usize = layer.iter().map(|slot| self.slots[*slot].width).sum();
                boxes + layer.len().saturating_sub(1) * COLUMN_GAP
            })
            .collect();
        self.width = widths.iter().copied().max().unwrap_or(0);
        for (layer, width) in self.layers.iter().zip(widths) {
            let mut x = MARGIN + (self.width - width) / 2;
            for slot in layer {
                self.slots[*slot].x = x;
                x += self.slots[*slot].width + COLUMN_GAP;
            }
        }
    }
}

/// Text as HTML and SVG take it.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            // Not allowed in XML, however written.
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
