import CLibpq
public func version() -> Int32 { PQlibVersion() }
