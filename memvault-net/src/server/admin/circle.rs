//! `/api/ring` and `/api/where`: who leads which part of the circle, and which nodes hold a key.

use std::collections::BTreeMap;

use memvault::hash::{Token, token};
use memvault::replication::Node;
use percent_encoding::percent_decode;
use serde_json::{Value, json};

/// Equal parts that the circle is told in: eight for each degree. Virtual nodes are more, and narrower than what can
/// be drawn.
const PARTS: u64 = 2880;

/// The document of `/api/ring`: the ids of the nodes, and the place in that list of the one that leads the keys in
/// the middle of each part of the circle. `node` is `None` for one that is alone.
pub(super) fn ring(node: Option<&Node>) -> Value {
    let Some(node) = node else {
        return json!({"epoch": null, "nodes": ["this node"], "leaders": vec![0; PARTS as usize]});
    };
    let ring = node.ring();
    let indices: Vec<_> = ring.nodes().collect();
    let places: BTreeMap<_, _> = indices.iter().zip(0_usize..).collect();
    let width = u64::MAX / PARTS;
    let leaders: Vec<_> = (0..PARTS)
        .filter_map(|part| {
            let owner = ring.owner_of_token(Token(part * width + width / 2))?;
            places.get(&owner)
        })
        .collect();
    let ids: Vec<_> = indices
        .iter()
        .filter_map(|index| ring.node_id(*index))
        .collect();
    json!({"epoch": node.document().epoch, "nodes": ids, "leaders": leaders})
}

/// The document of `/api/where`, for the query that came with it; `None` if that names no key.
///
/// `node` is `None` for one that is alone.
pub(super) fn place(query: &str, node: Option<&Node>) -> Option<Value> {
    let mut pairs = query.split('&');
    let text = pairs.find_map(|pair| pair.strip_prefix("key="))?;
    let text = text.replace('+', " ");
    let key: Vec<u8> = percent_decode(text.as_bytes()).collect();
    let nodes = node.map_or_else(Vec::new, |node| {
        let (ring, replicas) = (node.ring(), node.document().replicas);
        let list = ring.replicas(&key, replicas.into());
        list.filter_map(|node| ring.node_id(node)).collect()
    });
    Some(json!({
        "key": String::from_utf8_lossy(&key),
        "position": token(&key).0 as f64 / CIRCLE,
        "nodes": nodes,
    }))
}

/// Number of tokens.
const CIRCLE: f64 = 18_446_744_073_709_551_616.0;
