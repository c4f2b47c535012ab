use super::*;

fn built(pickle: &[u8]) -> (Heap, Id) {
    let built = run(pickle).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(built.length, pickle.len());
    (built.heap, built.root)
}

fn message(pickle: &[u8]) -> String {
    run(pickle).err().expect("refused").to_string()
}

#[test]
fn plain_values_are_read() {
    let cases: [(&[u8], Object); 9] = [
        (b"\x80\x02K\x07.", Object::Int(7)),
        (b"\x80\x02J\xfe\xff\xff\xff.", Object::Int(-2)),
        (b"\x80\x02\x8a\x02\x00\x80.", Object::Int(-32768)),
        (b"\x80\x02\x8a\x00.", Object::Int(0)),
        (b"\x80\x02\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01.", Object::BigInt),
        (b"\x80\x02G\x3f\xf8\x00\x00\x00\x00\x00\x00.", Object::Float(1.5)),
        (b"\x80\x02X\x02\x00\x00\x00ab.", Object::Text("ab".to_owned())),
        (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00\x88.", Object::Bool(true)),
        (b"\x80\x02N.", Object::None),
    ];
    for (pickle, want) in cases {
        let (heap, root) = built(pickle);
        assert_eq!(heap.get(root), &want);
    }
}

#[test]
fn containers_are_filled_where_they_were_noted() {
    // {"a": [1]} where the list is fetched from the memo and appended to after it was placed.
    let (heap, root) = built(b"\x80\x02}X\x01\x00\x00\x00a]q\x01sh\x01K\x01a0.");
    let Object::Dict(entries) = heap.get(root) else { panic!("{:?}", heap.get(root)) };
    let Object::List(items) = heap.get(entries[0].1) else { panic!("a list") };
    assert_eq!(heap.get(items[0]), &Object::Int(1));
}

#[test]
fn what_a_pickle_may_not_ask_for_is_named() {
    assert!(message(b"\x80\x02cposix\nsystem\nX\x02\x00\x00\x00ls\x85R.").contains("`posix.system`"));
    // Protocol 4's way of saying it.
    assert!(message(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.").contains("`posix.system`"));
    // A global that is known, called with another in place of its argument.
    assert!(message(b"\x80\x02ctorch\nFloatStorage\n)R.").contains("calls Storage"));
    assert!(message(b"\x80\x02P1\n.").contains("0x50"));
    assert!(message(b"\x80\x02cbuiltins\neval\n.").contains("byte 2"));
    assert!(message(b"\x80\x02I1\n.").contains("0x49"));
}

#[test]
fn what_is_not_known_is_left_where_it_is() {
    let kind = |pickle: &[u8]| {
        let (heap, root) = built(pickle);
        heap.kind(root)
    };
    // By a call, by `__new__`, by a reconstructor, with a state; as Python 2 writes objects; a name alone.
    assert_eq!(kind(b"\x80\x02cpathlib\nPosixPath\nX\x01\x00\x00\x00a\x85R."), "an object of pathlib.PosixPath");
    assert_eq!(kind(b"\x80\x02cargparse\nNamespace\n)\x81}b."), "an object of argparse.Namespace");
    let array = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R.";
    assert_eq!(kind(array), "an object of numpy.ndarray");
    assert_eq!(kind(b"\x80\x02(cmine\nOptions\no}b."), "an object of mine.Options");
    assert_eq!(kind(b"\x80\x02(imine\nOptions\n}b."), "an object of mine.Options");
    assert_eq!(kind(b"\x80\x02cmine\nOptions\n."), "the name mine.Options");
    assert_eq!(kind(b"\x80\x02ctorch\nfloat32\n."), "a number type");
    // A dictionary of a class of its own, Python 2's ordered dictionary, a counter, a default dictionary, a set, bytes.
    assert_eq!(kind(b"\x80\x02cmine\nDict\n)\x81K\x01K\x02s."), "a dictionary");
    assert_eq!(kind(b"\x80\x02ccollections\nOrderedDict\n]]K\x01aK\x02aa\x85R."), "a dictionary");
    assert_eq!(kind(b"\x80\x02ccollections\nCounter\n}\x85R."), "a dictionary");
    assert_eq!(kind(b"\x80\x02ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R."), "a dictionary");
    assert_eq!(kind(b"\x80\x02c__builtin__\nset\n]\x85R."), "a set");
    assert_eq!(kind(b"\x80\x02c_codecs\nencode\nX\x01\x00\x00\x00aU\x06latin1\x86R."), "bytes");
}

#[test]
fn a_short_pickle_stays_small() {
    // A list of a thousand pairs that is made into a dictionary again and again.
    let mut pickle = b"\x80\x02ccollections\nOrderedDict\nq\x00]q\x01(".to_vec();
    pickle.extend(b"K\x01K\x02\x86".repeat(1000));
    pickle.extend(b"e\x85q\x02");
    pickle.extend(b"h\x00h\x02R0".repeat(10_000));
    pickle.push(b'.');
    assert!(message(&pickle).contains("beyond any checkpoint"));
    let many = [&b"\x80\x02"[..], &b"N".repeat(5_000_000), b"."].concat();
    assert!(message(&many).contains("beyond any checkpoint"));
}

#[test]
fn broken_pickles_are_errors() {
    let cases: [&[u8]; 13] = [
        b"",
        b"\x80\x02",
        b"\x80\x01N.",
        b"\x80\x02.",
        b"\x80\x02X\xff\xff\xff\xffab.",
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.",
        b"\x80\x02h\x07.",
        b"\x80\x02t.",
        b"\x80\x02(K\x01u.",
        b"\x80\x02}K\x01a.",
        b"\x80\x02K\x01(\x85.",
        b"\x80\x02X\x01\x00\x00\x00\xff.",
        b"\x80\x02ctorch",
    ];
    for pickle in cases {
        assert!(run(pickle).is_err(), "{pickle:?}");
    }
}

#[test]
fn depth_and_loops_cost_no_stack() {
    // A million tuples inside each other, and a list inside itself.
    let mut deep = b"\x80\x02)".to_vec();
    deep.extend(std::iter::repeat_n(0x85, 1_000_000));
    deep.push(b'.');
    assert!(matches!(built(&deep), (heap, root) if matches!(heap.get(root), Object::Tuple(_))));
    let (heap, root) = built(b"\x80\x02]q\x00h\x00a.");
    assert_eq!(heap.get(root), &Object::List(vec![root]));
}

#[test]
fn negative_and_unfitting_tensors_are_errors() {
    let tensor = |size: &str, stride: &str| {
        let mut pickle = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n\
                           X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00"
            .to_vec();
        pickle.extend_from_slice(size.as_bytes());
        pickle.extend_from_slice(stride.as_bytes());
        pickle.extend_from_slice(b"\x89NtR.");
        pickle
    };
    let (heap, root) = built(&tensor("(K\x02K\x02t", "(K\x02K\x01t"));
    let Object::Tensor(spec) = heap.get(root) else { panic!("{:?}", heap.get(root)) };
    assert_eq!((heap.sizes(spec.sizes), heap.sizes(spec.steps)), (vec![2, 2], vec![2, 1]));
    assert_eq!(heap.storages().map(|storage| storage.count).collect::<Vec<_>>(), [4]);
    assert!(message(&tensor("(K\x02K\x02t", "(K\x02t")).contains("2 sizes and 1 steps"));
    let mut negative = tensor("(K\x02t", "(K\x01t");
    let place = negative.windows(2).position(|w| w == b"K\x02").unwrap();
    negative.splice(place..place + 2, *b"J\xff\xff\xff\xff");
    assert!(message(&negative).contains("-1"));
}
