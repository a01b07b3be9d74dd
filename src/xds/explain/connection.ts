/** A connection as listeners see it before they read a request. */
export interface Connection {
	/** Address that the client connects to, when it is known. */
	readonly destination: string | undefined;
	readonly port: number;
	/** Server name of the TLS hello; empty without TLS. */
	readonly serverName: string;
	readonly transport: "raw_buffer" | "tls";
	/** As the HTTP inspector calls them; none when it is not HTTP. */
	readonly applicationProtocols: readonly string[];
}
