extension BackupFixture {
  /// Values that are hard to carry as text, and values that are stored out of line.
  static let values = #"""
    create table app.value_list (id integer primary key, what text, number numeric, real_one real, double_one double precision,
      at timestamp, at_zone timestamptz, day date, hour time, hour_zone timetz, span interval, bytes bytea, body text,
      padded char(8), bounded varchar(5000), numbers integer[], texts text[], document json, binary_document jsonb,
      price money, bits bit(5), bit_string bit varying, address inet, network cidr, mac macaddr, mac8 macaddr8,
      words tsvector, query tsquery, id_one uuid, flag boolean, spot point, line_one lseg, box_one box, path_one path,
      polygon_one polygon, circle_one circle, ints int4range, int_ranges int4multirange, times tstzrange, path_query jsonpath,
      position pg_lsn, name_one name, char_one "char", object oid, class regclass, snapshot pg_snapshot, record_one app.place);
    insert into app.value_list (id, what, number, real_one, double_one, at, at_zone, day, span) values
      (1, 'not a number', 'NaN', 'NaN', 'NaN', 'infinity', '-infinity', 'infinity', '1 year -2 mons +3 days -04:05:06.789'),
      (2, 'infinite', 'infinity', 'infinity', '-infinity', '-infinity', 'infinity', '-infinity', '-178000000 years'),
      (3, 'negative zero', '-0', '-0', '-0', '4713-01-01 BC', '0044-03-15 12:00:00+00 BC', '4713-11-24 BC', '0'),
      (4, 'far', '-infinity', 3.4028235e38, 1.7976931348623157e308, '294276-12-31 23:59:59.999999',
        '2026-11-24 08:36:57.123456+05:45', '5874897-12-31', 'P-1Y2M-3DT4H-5M6.000001S'),
      (5, 'near', 1e-1000, 1e-45, 4.9e-324, 'epoch', 'epoch', 'epoch', '-0.000001 seconds'),
      (6, 'third', 1::numeric / 3, 1::real / 3, 0.1::double precision + 0.2, null, null, null, null);
    insert into app.value_list (id, what, number) values
      (7, 'huge', (repeat('1234567890', 3000) || '.' || repeat('9', 2000))::numeric), (8, 'long scale', 10::numeric ^ -900);
    insert into app.value_list (id, what, bytes) values
      (10, 'all bytes', (select decode(string_agg(lpad(to_hex(n), 2, '0'), '' order by n), 'hex') from generate_series(0, 255) n)),
      (11, 'no bytes', ''), (12, 'backslashes', '\x5c5c2e0a5c2e');
    insert into app.value_list (id, what, body, padded, bounded) values
      (20, 'end marker', '\.', '\.', '\.'),
      (21, 'end marker in lines', E'a\n\\.\nb', E'\\.\n', E'\n\\.'),
      (22, 'empty', '', '', ''),
      (23, 'null', null, null, null),
      (24, 'null as text', '\N', '\N', 'NULL'),
      (25, 'controls', (select string_agg(chr(n), '' order by n) from generate_series(1, 31) n) || chr(127), E'\t\r\n', E'\b\f\v'),
      (26, 'backslashes', E'\\', E'\\\\', E'\\n\\t\\x41\\101'),
      (27, 'spaces', '  ', '  x', 'x  '),
      (28, 'quotes', '''"''''""', '"', $q$it's$q$),
      (29, 'line ends', E'\r', E'\n', E'\r\n'),
      (30, 'tabs', E'\t', E'a\tb', E'\t\t');
    insert into app.value_list (id, what, numbers, texts, document, binary_document, record_one) values
      (40, 'arrays', '[-2:0]={1,null,3}', array['', null, 'NULL', '{}', 'a"b', E'a\\b', E'\n', ' '],
        E'{"b" : 1,\n "a" : [1, 2.50, null], "a" : "\\u0000 twice \\\\"}', '{"b": 1e2, "a": "\t\\ \"", "": {}}', row('(', null, null)),
      (41, 'empty ones', '{}', '{}', '""', 'null', row('', null, null)),
      (42, 'nested', '{{1,2},{3,4}}', array[array['a', E'b\t'], array[null, '\.']], '[]', '[[], {}, [1]]', row(null, null, null));
    insert into app.value_list (id, what, price, bits, bit_string, address, network, mac, mac8, words, query, id_one, flag)
    values (50, 'others', '-92233720368547758.08', b'10101', b'', '::ffff:1.2.3.4/96', '10.0.0.0/8', '08:00:2b:01:02:03',
      '08:00:2b:01:02:03:04:05', $$'it''s':1A 'back\\slash':2,3B 'plain'$$, $$'a' & !('b' <-> 'c':*A)$$,
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', true);
    insert into app.value_list (id, what, spot, line_one, box_one, path_one, polygon_one, circle_one, ints, int_ranges, times,
      path_query, position, name_one, char_one, object, class, snapshot)
    values (51, 'geometry', '(-0,1e300)', '[(0,0),(NaN,Infinity)]', '(1,1),(0,0)', '[(0,0),(1,1)]', '((0,0),(1,1),(1,0))', '<(0,0),5>',
      'empty', '{[1,3),[5,)}', '[2026-01-01,infinity]', '$."a b"[*] ? (@ > 1)', 'FFFFFFFF/FFFFFFFF', 'a name', E'\\', 4294967295,
      'app.empty', '10:20:10,14,15');

    -- Values out of line: compressed, not compressed, and of more than one piece.
    create table app.toasted (id integer primary key, packed text, plain text, bytes bytea, squeezed text);
    alter table app.toasted alter column plain set storage external, alter column squeezed set storage main;
    insert into app.toasted values
      (1, repeat('squeeze me ', 400000), repeat('as it is ', 300000), null, repeat('main ', 100000)),
      (2, (select string_agg(md5(n::text), '' order by n) from generate_series(1, 120000) n), 'short',
        (select decode(string_agg(md5((-n)::text), '' order by n), 'hex') from generate_series(1, 150000) n), ''),
      (3, repeat(E'\\', 1000000), repeat(E'\n', 1000000), decode(repeat('005c0aff', 500000), 'hex'), null);
    create table app.many_pages (id integer, body text, filler text);
    insert into app.many_pages select n, md5(n::text), repeat('filler ', 20) from generate_series(1, 60000) n;
    delete from app.many_pages where id between 20000 and 30000;
    """#
}
