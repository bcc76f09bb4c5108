//! Which step waits for which: order, cycles, ancestry, the longest chain.
//!
//! Works on ids and needs alone, so that a runbook and a plan use the same one. Every question costs time linear in
//! steps and needs, or says otherwise. Never knows what a step does.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::Duration,
};

use petgraph::{
    Direction,
    algo::tarjan_scc,
    graph::{DiGraph, NodeIndex},
};

use super::StepId;

/// A graph of steps; a step is its position in the list it was made from. Edges go from the needed to the needing.
#[derive(Debug)]
pub struct Graph {
    graph: DiGraph<(), ()>,
}

impl Graph {
    /// Needs that name no step are left out. When two steps have one id, the first is meant.
    pub fn new<'a, S>(steps: S) -> Self
    where
        S: IntoIterator<Item = (&'a StepId, &'a [StepId])>,
    {
        let steps: Vec<(&StepId, &[StepId])> = steps.into_iter().collect();
        let mut positions: HashMap<&str, usize> = HashMap::with_capacity(steps.len());
        for (position, (id, _)) in steps.iter().enumerate() {
            positions.entry(id.as_str()).or_insert(position);
        }
        let edges = steps.iter().enumerate().flat_map(|(position, (_, needs))| {
            let positions = &positions;
            needs.iter().filter_map(move |need| Some((*positions.get(need.as_str())?, position)))
        });
        Self::from_edges(steps.len(), edges)
    }

    /// `edges`: from the needed step to the one that needs it.
    pub fn from_edges(steps: usize, edges: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut graph = DiGraph::with_capacity(steps, steps);
        for _ in 0..steps {
            graph.add_node(());
        }
        for (from, to) in edges {
            graph.add_edge(NodeIndex::new(from), NodeIndex::new(to), ());
        }
        Self { graph }
    }

    /// The steps that `step` needs directly, in the order in which it names them.
    pub fn needs(&self, step: usize) -> Vec<usize> {
        self.neighbours(step, Direction::Incoming)
    }

    /// The steps that need `step` directly, in the order of the list.
    pub fn needed_by(&self, step: usize) -> Vec<usize> {
        self.neighbours(step, Direction::Outgoing)
    }

    fn neighbours(&self, step: usize, direction: Direction) -> Vec<usize> {
        // petgraph gives the newest edge first.
        let mut found: Vec<usize> =
            self.graph.neighbors_directed(NodeIndex::new(step), direction).map(NodeIndex::index).collect();
        found.reverse();
        found
    }

    /// Every step after its needs; among ready ones, the order of the list. `n log n`.
    ///
    /// # Errors
    /// The cycles, each as positions: every step needs the next, and the last the first.
    pub fn order(&self) -> Result<Vec<usize>, Vec<Vec<usize>>> {
        let count = self.graph.node_count();
        let mut waits: Vec<usize> = (0..count)
            .map(|step| self.graph.neighbors_directed(NodeIndex::new(step), Direction::Incoming).count())
            .collect();
        let mut ready: BinaryHeap<Reverse<usize>> = (0..count).filter(|step| waits[*step] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(count);
        while let Some(Reverse(step)) = ready.pop() {
            order.push(step);
            for next in self.graph.neighbors(NodeIndex::new(step)) {
                waits[next.index()] -= 1;
                if waits[next.index()] == 0 {
                    ready.push(Reverse(next.index()));
                }
            }
        }
        if order.len() == count { Ok(order) } else { Err(self.cycles()) }
    }

    /// One cycle for every knot of steps that wait for each other, the one that begins first in the list first.
    fn cycles(&self) -> Vec<Vec<usize>> {
        let mut cycles: Vec<Vec<usize>> = tarjan_scc(&self.graph)
            .into_iter()
            .filter(|knot| knot.len() > 1 || self.graph.contains_edge(knot[0], knot[0]))
            .map(|knot| self.cycle_in(&knot))
            .collect();
        cycles.sort();
        cycles
    }

    /// A shortest cycle through the first step of a knot, along needs.
    fn cycle_in(&self, knot: &[NodeIndex]) -> Vec<usize> {
        let first = *knot.iter().min().expect("a knot has a step");
        let mut inside: HashMap<NodeIndex, Option<NodeIndex>> = knot.iter().map(|step| (*step, None)).collect();
        let mut queue = std::collections::VecDeque::from([first]);
        while let Some(step) = queue.pop_front() {
            for need in self.graph.neighbors_directed(step, Direction::Incoming) {
                if need == first {
                    let mut cycle = vec![step.index()];
                    let mut at = step;
                    while let Some(Some(before)) = inside.get(&at).copied() {
                        cycle.push(before.index());
                        at = before;
                    }
                    cycle.reverse();
                    return cycle;
                }
                if let Some(before @ None) = inside.get_mut(&need) {
                    *before = Some(step);
                    queue.push_back(need);
                }
            }
        }
        vec![first.index()]
    }

    /// For every pair, whether the second step needs the first, directly or through others. `order` is `self.order()`.
    ///
    /// Asks are answered 64 needed steps at a time, each batch over the part of the order between its ends: asks that
    /// reach a few steps back cost next to nothing, and the worst case is `n² / 64` word operations.
    pub fn needs_through(&self, order: &[usize], asks: &[(usize, usize)]) -> Vec<bool> {
        let mut place = vec![0; order.len()];
        for (at, step) in order.iter().enumerate() {
            place[*step] = at;
        }
        let mut by_needed: Vec<usize> = (0..asks.len()).collect();
        by_needed.sort_unstable_by_key(|ask| place[asks[*ask].0]);
        let mut answers = vec![false; asks.len()];
        let mut masks = Masks { own: vec![0; order.len()], reached: vec![0; order.len()] };
        let mut rest = by_needed.as_slice();
        while !rest.is_empty() {
            let mut needed: Vec<usize> = Vec::with_capacity(64);
            let mut taken = 0;
            for ask in rest {
                let step = asks[*ask].0;
                if needed.last() != Some(&step) {
                    if needed.len() == 64 {
                        break;
                    }
                    masks.own[step] = 1 << needed.len();
                    needed.push(step);
                }
                taken += 1;
            }
            let (batch, later) = rest.split_at(taken);
            rest = later;
            let first = place[needed[0]];
            let last = batch.iter().map(|ask| place[asks[*ask].1]).max().unwrap_or(first);
            for step in order.iter().take(last + 1).skip(first) {
                let needs = self.graph.neighbors_directed(NodeIndex::new(*step), Direction::Incoming);
                masks.reached[*step] = needs
                    .map(NodeIndex::index)
                    // What stands before this batch cannot need anything in it, and still holds the last one's answer.
                    .filter(|need| place[*need] >= first)
                    .fold(0, |reached, need| reached | masks.reached[need] | masks.own[need]);
            }
            for ask in batch {
                let (step, by) = asks[*ask];
                answers[*ask] = place[by] > first && masks.reached[by] & masks.own[step] != 0;
            }
            for step in needed {
                masks.own[step] = 0;
            }
        }
        answers
    }

    /// The needs of every step, where a left-out step is replaced by its own needs. `order` is `self.order()`.
    pub fn needs_without(&self, order: &[usize], left_out: &[bool]) -> Vec<Vec<usize>> {
        let mut needs: Vec<Vec<usize>> = vec![Vec::new(); order.len()];
        let mut seen_for = vec![usize::MAX; order.len()];
        for step in order {
            let mut passed = Vec::new();
            for need in self.needs(*step) {
                let stands_for = if left_out[need] { needs[need].as_slice() } else { &[need] };
                for need in stands_for {
                    if std::mem::replace(&mut seen_for[*need], *step) != *step {
                        passed.push(*need);
                    }
                }
            }
            needs[*step] = passed;
        }
        needs
    }

    /// The longest chain, first step first, and how long it takes. `order` is `self.order()`.
    pub fn critical_path(&self, order: &[usize], durations: &[Duration]) -> (Vec<usize>, Duration) {
        let mut ends = vec![Duration::ZERO; durations.len()];
        let mut before: Vec<Option<usize>> = vec![None; durations.len()];
        for step in order {
            // The earliest in the list among equals, so that the same runbook gives the same path.
            let latest = self
                .graph
                .neighbors_directed(NodeIndex::new(*step), Direction::Incoming)
                .map(NodeIndex::index)
                .max_by_key(|need| (ends[*need], Reverse(*need)));
            before[*step] = latest;
            ends[*step] = latest.map_or(Duration::ZERO, |need| ends[need]) + durations[*step];
        }
        let last = (0..durations.len()).max_by_key(|step| (ends[*step], Reverse(*step)));
        let mut path: Vec<usize> = std::iter::successors(last, |step| before[*step]).collect();
        path.reverse();
        (path, last.map_or(Duration::ZERO, |step| ends[step]))
    }
}

/// One batch of `needs_through`, a word a step.
struct Masks {
    /// The bit of a needed step; 0 for all others.
    own: Vec<u64>,
    /// The bits of the needed steps that a step needs.
    reached: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(needs: &[&[usize]]) -> Graph {
        let edges = needs.iter().enumerate().flat_map(|(step, needs)| needs.iter().map(move |need| (*need, step)));
        Graph::from_edges(needs.len(), edges)
    }

    #[test]
    fn ready_steps_keep_the_order_of_the_list() {
        assert_eq!(graph(&[&[3], &[], &[0, 1], &[]]).order(), Ok(vec![1, 3, 0, 2]));
        assert_eq!(graph(&[]).order(), Ok(vec![]));
    }

    #[test]
    fn cycles_are_told_along_the_needs() {
        assert_eq!(graph(&[&[1], &[2], &[0], &[0], &[4]]).order(), Err(vec![vec![0, 1, 2], vec![4]]));
        assert_eq!(graph(&[&[1, 2], &[0], &[0]]).order().unwrap_err().len(), 1);
    }

    #[test]
    fn a_step_that_is_left_out_passes_its_needs_on() {
        let graph = graph(&[&[], &[0], &[1], &[2, 0], &[3]]);
        let order = graph.order().unwrap();
        let needs = graph.needs_without(&order, &[false, true, true, false, false]);
        assert_eq!(needs, [vec![], vec![0], vec![0], vec![0], vec![3]]);
    }

    #[test]
    fn the_critical_path_is_the_longest_chain() {
        let seconds: Vec<Duration> = [1, 5, 2, 4, 1].map(Duration::from_secs).to_vec();
        let graph = graph(&[&[], &[], &[0], &[1, 2], &[3]]);
        assert_eq!(graph.critical_path(&graph.order().unwrap(), &seconds), (vec![1, 3, 4], Duration::from_secs(10)));
    }

    /// The needs of each step, all of them before it in the list.
    fn acyclic() -> impl Strategy<Value = Vec<Vec<usize>>> {
        (1_usize..200)
            .prop_flat_map(|count| {
                (0..count).map(|step| prop::collection::vec(0..step.max(1), 0..4.min(step + 1))).collect::<Vec<_>>()
            })
            .prop_map(|mut needs| {
                needs[0].clear();
                needs
            })
    }

    proptest! {
        #[test]
        fn ancestry_agrees_with_a_search(needs in acyclic(), picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..300)) {
            let lists: Vec<&[usize]> = needs.iter().map(Vec::as_slice).collect();
            let graph = graph(&lists);
            let order = graph.order().unwrap();
            let asks: Vec<(usize, usize)> =
                picks.iter().map(|(one, other)| (one.index(needs.len()), other.index(needs.len()))).collect();
            let searched: Vec<bool> = asks.iter().map(|(needed, by)| {
                let mut stack = needs[*by].clone();
                let mut seen = vec![false; needs.len()];
                while let Some(step) = stack.pop() {
                    if step == *needed {
                        return true;
                    }
                    if !std::mem::replace(&mut seen[step], true) {
                        stack.extend(&needs[step]);
                    }
                }
                false
            }).collect();
            prop_assert_eq!(graph.needs_through(&order, &asks), searched);
        }
    }
}
