//! The codec. Dimensions: values of 16, 64, 1024 and 16 384 bytes, 64 commands in one buffer, as a pipeline
//! brings them. Operations: decode `SET key value` commands, decode `GET key` commands, scan bulk replies (as a
//! load generator does), encode commands, encode bulk replies. Criterion prints bytes per second; the name
//! tells how many commands each pass has, for commands per second.

use std::hint::black_box;

use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime};
use memvault::resp::{CommandDecoder, Limits, ReplyScanner, encode};

/// Commands in one buffer.
const PIPELINE: usize = 64;
const KEY: &[u8] = b"key:00000012345";

pub(crate) fn register_benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resp_64_commands");
    decode_commands(&mut group, "decode_get", "none", &[b"GET", KEY]);
    for len in [16, 64, 1024, 16_384] {
        let value = vec![b'v'; len];
        decode_commands(&mut group, "decode_set", len, &[b"SET", KEY, &value]);
        scan_replies(&mut group, &value);
        encode_commands(&mut group, &value);
        encode_replies(&mut group, &value);
    }
    group.finish();
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// What `write` appends, as often as a pipeline is long.
fn pipeline(mut write: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    (0..PIPELINE).for_each(|_| write(&mut bytes));
    bytes
}

fn decode_commands(group: &mut Group<'_>, name: &str, parameter: impl ToString, command: &[&[u8]]) {
    let bytes = pipeline(|out| encode::command(out, command));
    let mut decoder = CommandDecoder::new(Limits::DEFAULT);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(BenchmarkId::new(name, parameter.to_string()), |bencher| {
        bencher.iter(|| {
            let (mut rest, mut arguments) = (bytes.as_slice(), 0);
            while let Ok(Some(decoded)) = decoder.decode(rest) {
                arguments += black_box(&decoded.args).len();
                rest = &rest[decoded.consumed..];
            }
            assert_eq!(arguments, PIPELINE * command.len());
        });
    });
}

fn scan_replies(group: &mut Group<'_>, value: &[u8]) {
    let bytes = pipeline(|out| encode::bulk(out, value));
    let mut decoder = ReplyScanner::new(Limits::DEFAULT);
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(BenchmarkId::new("scan_reply", value.len()), |bencher| {
        bencher.iter(|| {
            let (mut rest, mut replies) = (bytes.as_slice(), 0);
            while let Ok(Some(scanned)) = decoder.scan(rest) {
                replies += 1;
                rest = &rest[scanned.consumed..];
            }
            assert_eq!(replies, PIPELINE);
        });
    });
}

fn encode_commands(group: &mut Group<'_>, value: &[u8]) {
    encode_into(group, "encode_set", value, |out| {
        encode::command(out, &[b"SET", KEY, value])
    });
}

fn encode_replies(group: &mut Group<'_>, value: &[u8]) {
    encode_into(group, "encode_bulk", value, |out| encode::bulk(out, value));
}

fn encode_into(
    group: &mut Group<'_>,
    name: &str,
    value: &[u8],
    mut write: impl FnMut(&mut Vec<u8>),
) {
    let mut out = pipeline(&mut write);
    group.throughput(Throughput::Bytes(out.len() as u64));
    group.bench_function(BenchmarkId::new(name, value.len()), |bencher| {
        bencher.iter(|| {
            out.clear();
            (0..PIPELINE).for_each(|_| write(&mut out));
            black_box(&out);
        });
    });
}
