import CPgQuery

public func probe(_ s: String) -> Int {
  let r = pg_query_parse_protobuf(s); defer { pg_query_free_protobuf_parse_result(r) };
  let p = pg_query__parse_result__unpack(
    nil, r.parse_tree.len, UnsafeMutableRawPointer(r.parse_tree.data)?.assumingMemoryBound(to: UInt8.self));
  defer { pg_query__parse_result__free_unpacked(p, nil) }; return p?.pointee.n_stmts ?? -1
}
