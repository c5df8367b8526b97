//! Replies as redis-cli prints them where nobody looks: bytes as they are, one element a line.

use memvault::resp::Reply;

/// The reply and a line end.
pub(super) fn line(reply: &Reply) -> Vec<u8> {
    let mut out = Vec::new();
    write(reply, &mut out);
    out.push(b'\n');
    out
}

/// Nesting is bounded by the decoder, so this may call itself.
fn write(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Simple(bytes)
        | Reply::Error(bytes)
        | Reply::Bulk(bytes)
        | Reply::BigNumber(bytes)
        | Reply::Verbatim { text: bytes, .. } => out.extend_from_slice(bytes),
        Reply::Integer(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Reply::Double(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Reply::Boolean(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Reply::Array(elements) | Reply::Set(elements) | Reply::Push(elements) => {
            lines(elements.iter(), out);
        }
        Reply::Map(pairs) => lines(pairs.iter().flat_map(|(key, value)| [key, value]), out),
        Reply::Attributed { reply, .. } => write(reply, out),
        // Null is an empty line, and so is whatever a later protocol may bring.
        _ => {}
    }
}

fn lines<'a>(elements: impl Iterator<Item = &'a Reply>, out: &mut Vec<u8>) {
    for (position, element) in elements.enumerate() {
        if position > 0 {
            out.push(b'\n');
        }
        write(element, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_stand_on_lines_of_their_own() {
        let reply = Reply::Array(vec![
            Reply::Bulk(b"a\xff".to_vec()),
            Reply::Null,
            Reply::Integer(-3),
        ]);
        assert_eq!(line(&reply), b"a\xff\n\n-3\n");
        assert_eq!(line(&Reply::Error(b"ERR no".to_vec())), b"ERR no\n");
    }
}
