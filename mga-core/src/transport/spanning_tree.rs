//! The spanning tree of a network simplex: its arcs carry the flow, and its potentials price the other arcs.

use super::perturbed::Flow;

/// No node.
const NONE: u32 = u32::MAX;

/// A spanning tree over sources `0..n` and targets `n..n + m`, rooted at source 0. Every arc joins a source and a target,
/// and belongs to the node at its lower end.
#[derive(Debug, Default)]
pub(super) struct SpanningTree {
    sources: usize,
    parent: Vec<u32>,
    depth: Vec<u32>,
    /// What flows along the arc to the parent, from the source to the target, whichever end is the parent.
    flow: Vec<Flow>,
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    previous_sibling: Vec<u32>,
    /// `u` of sources and `v` of targets; `u + v` is the cost of each arc of the tree.
    potential: Vec<f64>,
    stack: Vec<u32>,
    /// Arcs of each node while a tree is built.
    degree: Vec<u32>,
    next: Vec<u32>,
    arcs: Vec<(u32, Flow)>,
}

/// The arc through which flow leaves the tree in a pivot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    /// Its lower end.
    node: u32,
    /// Whether it lies on the path from the entering arc's source.
    on_sources_side: bool,
    /// How much flow goes round the cycle.
    amount: Flow,
}

impl SpanningTree {
    /// Builds the tree of these arcs: source, target counted from 0, flow.
    pub(super) fn build(&mut self, cost: &[f64], (n, m): (usize, usize), basis: &[(u32, u32, Flow)]) {
        let nodes = n + m;
        self.sources = n;
        for list in [&mut self.parent, &mut self.first_child, &mut self.next_sibling, &mut self.previous_sibling] {
            list.clear();
            list.resize(nodes, NONE);
        }
        self.depth.clear();
        self.depth.resize(nodes, 0);
        self.flow.clear();
        self.flow.resize(nodes, Flow::default());
        self.potential.clear();
        self.potential.resize(nodes, 0.0);
        // The neighbours of node x are arcs[degree[x]..degree[x + 1]].
        self.degree.clear();
        self.degree.resize(nodes + 1, 0);
        for &(source, target, _) in basis {
            self.degree[source as usize + 1] += 1;
            self.degree[n + target as usize + 1] += 1;
        }
        (0..nodes).for_each(|node| self.degree[node + 1] += self.degree[node]);
        self.arcs.clear();
        self.arcs.resize(2 * basis.len(), (NONE, Flow::default()));
        self.next.clear();
        self.next.extend_from_slice(&self.degree);
        for &(source, target, flow) in basis {
            for (from, to) in [(source, n as u32 + target), (n as u32 + target, source)] {
                self.arcs[self.next[from as usize] as usize] = (to, flow);
                self.next[from as usize] += 1;
            }
        }
        self.stack.clear();
        self.stack.push(0);
        while let Some(node) = self.stack.pop() {
            for arc in self.degree[node as usize]..self.degree[node as usize + 1] {
                let (child, flow) = self.arcs[arc as usize];
                if child == self.parent[node as usize] {
                    continue;
                }
                self.attach(child, node, flow);
                self.stack.push(child);
            }
        }
        self.price(cost, m);
    }

    /// Computes every depth and potential from the root.
    pub(super) fn price(&mut self, cost: &[f64], targets: usize) {
        self.stack.clear();
        self.stack.push(0);
        (self.depth[0], self.potential[0]) = (0, 0.0);
        while let Some(node) = self.stack.pop() {
            let mut child = self.first_child[node as usize];
            while child != NONE {
                let (source, target) = if self.is_source(child) { (child, node) } else { (node, child) };
                let cost = cost[source as usize * targets + target as usize - self.sources];
                self.depth[child as usize] = self.depth[node as usize] + 1;
                self.potential[child as usize] = cost - self.potential[node as usize];
                self.stack.push(child);
                child = self.next_sibling[child as usize];
            }
        }
    }

    /// Returns the potentials of sources and targets.
    pub(super) fn potentials(&self) -> (&[f64], &[f64]) {
        self.potential.split_at(self.sources)
    }

    /// Finds what happens when flow enters along the arc from `source` to `target`: the first arc of the cycle that runs
    /// empty leaves the tree.
    pub(super) fn leaving(&self, source: u32, target: u32) -> Option<Leaving> {
        let (mut from, mut to) = (source, self.sources as u32 + target);
        let mut found: Option<Leaving> = None;
        while from != to {
            let on_sources_side = self.depth[from as usize] >= self.depth[to as usize];
            let node = if on_sources_side { &mut from } else { &mut to };
            let lower = *node;
            *node = self.parent[lower as usize];
            // The entering arc takes from its source and fills its target, so that the arcs next to them give way.
            if self.is_source(lower) == on_sources_side {
                let amount = self.flow[lower as usize];
                if found.is_none_or(|found| amount < found.amount) {
                    found = Some(Leaving { node: lower, on_sources_side, amount });
                }
            }
        }
        found
    }

    /// Sends flow round the cycle, and puts the entering arc in the place of the leaving one. `reduced` is the entering
    /// arc's cost less its potentials.
    pub(super) fn pivot(&mut self, source: u32, target: u32, leaving: Leaving, reduced: f64) {
        let target = self.sources as u32 + target;
        let (mut from, mut to) = (source, target);
        while from != to {
            let on_sources_side = self.depth[from as usize] >= self.depth[to as usize];
            let node = if on_sources_side { &mut from } else { &mut to };
            let lower = *node;
            *node = self.parent[lower as usize];
            let flow = self.flow[lower as usize];
            let gives_way = self.is_source(lower) == on_sources_side;
            self.flow[lower as usize] = if gives_way { flow.less(leaving.amount) } else { flow.more(leaving.amount) };
        }
        // The part below the leaving arc hangs from the entering one: the path between them turns round.
        let (inner, outer) = if leaving.on_sources_side { (source, target) } else { (target, source) };
        let (mut node, mut above, mut flow) = (inner, outer, leaving.amount);
        loop {
            let (next, old) = (self.parent[node as usize], self.flow[node as usize]);
            self.detach(node);
            self.attach(node, above, flow);
            if node == leaving.node {
                break;
            }
            (above, node, flow) = (node, next, old);
        }
        let sources_move = if leaving.on_sources_side { reduced } else { -reduced };
        self.depth[inner as usize] = self.depth[outer as usize] + 1;
        self.stack.clear();
        self.stack.push(inner);
        while let Some(node) = self.stack.pop() {
            self.potential[node as usize] += if self.is_source(node) { sources_move } else { -sources_move };
            let below = self.depth[node as usize] + 1;
            let mut child = self.first_child[node as usize];
            while child != NONE {
                self.depth[child as usize] = below;
                self.stack.push(child);
                child = self.next_sibling[child as usize];
            }
        }
    }

    /// Writes the flow `[n, m]`, of which what lies outside the tree is 0.
    pub(super) fn write(&self, flow: &mut [f64], targets: usize) {
        for (node, parent) in self.parent.iter().enumerate().skip(1) {
            let (source, target) =
                if node < self.sources { (node, *parent as usize) } else { (*parent as usize, node) };
            flow[source * targets + target - self.sources] = self.flow[node].amount();
        }
    }

    fn is_source(&self, node: u32) -> bool {
        (node as usize) < self.sources
    }

    fn attach(&mut self, node: u32, parent: u32, flow: Flow) {
        let first = std::mem::replace(&mut self.first_child[parent as usize], node);
        if first != NONE {
            self.previous_sibling[first as usize] = node;
        }
        self.next_sibling[node as usize] = first;
        self.previous_sibling[node as usize] = NONE;
        self.parent[node as usize] = parent;
        self.flow[node as usize] = flow;
    }

    fn detach(&mut self, node: u32) {
        let (parent, previous, next) =
            (self.parent[node as usize], self.previous_sibling[node as usize], self.next_sibling[node as usize]);
        match previous {
            NONE => self.first_child[parent as usize] = next,
            _ => self.next_sibling[previous as usize] = next,
        }
        if next != NONE {
            self.previous_sibling[next as usize] = previous;
        }
    }
}
