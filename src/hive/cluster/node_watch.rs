//! Compares each list of nodes with the previous one: which nodes joined, went silent, came back or left.

use std::collections::{HashMap, HashSet};

use crate::hive::cluster::node::Node;
use crate::hive::cluster::node_list::ListedNode;

/// Remembers the nodes of the last list, to find changes.
#[derive(Debug, Default)]
pub(crate) struct NodeWatch {
    known: HashMap<String, KnownNode>,
    has_looked: bool,
}

#[derive(Debug)]
struct KnownNode {
    node: Node,
    silent: bool,
}

/// A change of one node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NodeChange {
    Came(Node),
    /// The node has not reported for too long.
    Silent(Node),
    /// The node was silent and reports again.
    Back(Node),
    /// The node has shut down.
    Left(Node),
}

impl NodeWatch {
    /// Returns the changes since the last list; the caller passes each to [`NodeWatch::note`] once it is journalled.
    /// The first list yields no changes, and no node is silent unless `may_miss`.
    pub(crate) fn compare(&mut self, nodes: &[ListedNode], may_miss: bool) -> Vec<NodeChange> {
        if !std::mem::replace(&mut self.has_looked, true) {
            let found = nodes.iter();
            found.for_each(|ListedNode { node, silent }| self.know(node, *silent));
        }
        let listed: HashSet<_> = nodes.iter().map(|it| it.node.id.as_str()).collect();
        // A silent node that leaves the list is no change.
        let is_listed = |id: &String| listed.contains(id.as_str());
        self.known
            .retain(|id, known| !known.silent || is_listed(id));
        let there = nodes.iter().filter_map(|ListedNode { node, silent }| {
            match (self.known.get(&node.id).map(|known| known.silent), *silent) {
                (None, false) => Some(NodeChange::Came(node.clone())),
                (Some(false), true) if may_miss => Some(NodeChange::Silent(node.clone())),
                (Some(true), false) => Some(NodeChange::Back(node.clone())),
                _ => None,
            }
        });
        let left = self.known.iter().filter(|(id, _)| !is_listed(id));
        let left = left.map(|(_, known)| NodeChange::Left(known.node.clone()));
        there.chain(left.filter(|_| may_miss)).collect()
    }

    /// Records a change that is journalled.
    pub(crate) fn note(&mut self, news: &NodeChange) {
        match news {
            NodeChange::Came(node) | NodeChange::Back(node) => self.know(node, false),
            NodeChange::Silent(node) => self.know(node, true),
            NodeChange::Left(node) => drop(self.known.remove(&node.id)),
        }
    }

    fn know(&mut self, node: &Node, silent: bool) {
        let node = node.clone();
        self.known
            .insert(node.id.clone(), KnownNode { node, silent });
    }
}

impl NodeChange {
    /// Returns the level, a sentence for the journal, and the node.
    pub(crate) fn describe(&self) -> (&'static str, String, &Node) {
        let (level, what, node) = match self {
            Self::Came(node) => ("INFO", "has joined", node),
            Self::Silent(node) => ("WARNING", "has gone silent", node),
            Self::Back(node) => ("INFO", "is back", node),
            Self::Left(node) => ("INFO", "has left", node),
        };
        let (kind, name, pid) = (node.kind.as_str(), &node.name, node.pid);
        let sentence = format!("Hive: the {kind} on {name} (process {pid}) {what}");
        (level, sentence, node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hive::cluster::node::NodeKind;

    fn listed(name: &str, silent: bool) -> ListedNode {
        let mut node = Node::of_this_process(NodeKind::Worker, "host");
        node.id = name.to_owned();
        ListedNode { node, silent }
    }

    /// Returns the changes of these nodes: each one's id and its change.
    fn told(watch: &mut NodeWatch, nodes: &[ListedNode], may_miss: bool) -> Vec<String> {
        let news = watch.compare(nodes, may_miss);
        news.iter().for_each(|news| watch.note(news));
        let words = news.iter().map(|news| {
            let (level, sentence, node) = news.describe();
            let what = sentence.split_once(") ").expect("a process").1.to_owned();
            format!("{level} {} {what}", node.id)
        });
        words.collect()
    }

    #[test]
    fn each_silence_is_told_once() {
        let mut watch = NodeWatch::default();
        let quiet = ["a", "b"].map(|name| listed(name, name == "b"));
        assert!(told(&mut watch, &quiet, true).is_empty());
        let a = [listed("a", true), listed("b", true)];
        assert_eq!(told(&mut watch, &a, true), ["WARNING a has gone silent"]);
        assert!(told(&mut watch, &a, true).is_empty());
        let back = [listed("a", false), listed("b", true)];
        assert_eq!(told(&mut watch, &back, true), ["INFO a is back"]);
        assert_eq!(told(&mut watch, &a, true), ["WARNING a has gone silent"]);
        // The list drops a silent node after an hour.
        assert!(told(&mut watch, &[], true).is_empty());
        assert_eq!(told(&mut watch, &back, true), ["INFO a has joined"]);
    }

    #[test]
    fn who_leaves_is_not_missed() {
        let mut watch = NodeWatch::default();
        assert!(told(&mut watch, &[], true).is_empty());
        let a = [listed("a", false)];
        assert_eq!(told(&mut watch, &a, true), ["INFO a has joined"]);
        assert_eq!(told(&mut watch, &[], true), ["INFO a has left"]);
        assert!(told(&mut watch, &[], true).is_empty());
    }

    #[test]
    fn nobody_is_missed_right_after_redis_was_away() {
        let mut watch = NodeWatch::default();
        told(&mut watch, &[listed("a", false), listed("b", false)], true);
        let silent = [listed("a", true)];
        assert!(told(&mut watch, &silent, false).is_empty());
        let later = told(&mut watch, &silent, true);
        assert_eq!(later, ["WARNING a has gone silent", "INFO b has left"]);
    }

    #[test]
    fn what_was_not_told_is_told_again() {
        let mut watch = NodeWatch::default();
        watch.compare(&[listed("a", false)], true);
        let silent = [listed("a", true)];
        assert_eq!(watch.compare(&silent, true).len(), 1);
        assert_eq!(watch.compare(&silent, true).len(), 1);
    }
}
