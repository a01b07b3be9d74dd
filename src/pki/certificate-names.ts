/** Whom a certificate speaks for: the entries of its subject alternative name. */
export interface CertificateNames {
	/** Lower case; the first label may be `*`. */
	readonly dns: readonly string[];
	/** IPv4, or IPv6 in the form of RFC 5952. */
	readonly ips: readonly string[];
	/** Such as `spiffe://cluster.local/ns/default/sa/reviews`. */
	readonly uris: readonly string[];
}
