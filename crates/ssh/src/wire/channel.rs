//! Messages of the connection protocol (RFC 4254).
