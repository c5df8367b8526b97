//! `/api/ring` and `/api/where`: who leads which slots, and which nodes hold a key.

use std::collections::BTreeMap;

use memvault::replication::Node;
use memvault::slot::{SLOTS, Slot, slot_of};
use percent_encoding::percent_decode;
use serde_json::{Value, json};

/// The document of `/api/ring`: the ids of the nodes, and for each slot the place in that list of the one that leads
/// it. `node` is `None` for one that is alone.
pub(super) fn ring(node: Option<&Node>) -> Value {
    let Some(node) = node else {
        return json!({"epoch": null, "nodes": ["this node"], "leaders": vec![0; SLOTS.into()]});
    };
    let (ring, slots) = (node.ring(), node.slots());
    let places: BTreeMap<_, _> = ring.nodes().zip(0_usize..).collect();
    let leaders = Slot::all().filter_map(|slot| places.get(&slots.leader(slot)?));
    let leaders: Vec<_> = leaders.collect();
    let ids: Vec<_> = ring
        .nodes()
        .filter_map(|index| ring.node_id(index))
        .collect();
    json!({"epoch": node.membership().epoch, "nodes": ids, "leaders": leaders})
}

/// The document of `/api/where`, for the query that came with it; `None` if that names no key.
///
/// `node` is `None` for one that is alone.
pub(super) fn place(query: &str, node: Option<&Node>) -> Option<Value> {
    let mut pairs = query.split('&');
    let text = pairs.find_map(|pair| pair.strip_prefix("key="))?;
    let text = text.replace('+', " ");
    let key: Vec<u8> = percent_decode(text.as_bytes()).collect();
    let slot = slot_of(&key);
    let nodes = node.map_or_else(Vec::new, |node| {
        let list = node.slots().replicas(slot).iter();
        list.filter_map(|index| node.ring().node_id(*index))
            .collect()
    });
    Some(json!({
        "key": String::from_utf8_lossy(&key),
        "slot": slot.number(),
        "nodes": nodes,
    }))
}
