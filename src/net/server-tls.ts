// TLS of our servers: the certificate is replaced while connections stay open,
// and a client that does not finish its handshake costs a socket and no more.

import type { Socket } from "node:net";
import type { SecureContextOptions, Server, TLSSocket } from "node:tls";
import type { Signal } from "../lib/signal.ts";
import type { TlsMaterial } from "../lib/tls-material.ts";
import type { Logger } from "../observability/logger.ts";
import { type Address, printAddress } from "./address.ts";

/** Certificate and key of a server, now and after each change; without one yet, every handshake fails. */
export type ServerMaterial = Signal<TlsMaterial | undefined>;

/** Handshakes that are under way. */
export interface Handshakes {
	/** Ends them, and stops following the certificate. */
	stop(): void;
}

/** A warning for each failed handshake would let anybody fill the log. */
const warnEveryMs = 10_000;

/** What a TLS server is made with, besides its certificate. */
export function serverTlsOptions(limits: { readonly handshakeMs: number }): {
	readonly handshakeTimeout: number;
	readonly minVersion: "TLSv1.2";
} {
	return { handshakeTimeout: limits.handshakeMs, ...versions };
}

const versions = { minVersion: "TLSv1.2" } as const;

/**
 * Keeps the certificate of a TLS server current and watches its handshakes.
 *
 * Guarantees: a new certificate serves the next connection and leaves open
 *   ones alone; one that cannot be used is logged, and the one before it stays.
 */
export function superviseTls(
	server: Server,
	material: ServerMaterial,
	log: Logger,
): Handshakes {
	const apply = (current: TlsMaterial | undefined): void => {
		if (current === undefined) return;
		try {
			server.setSecureContext(contextOptions(current));
		} catch (cause) {
			log.error(
				"A server certificate cannot be used; the one before it stays",
				{ reason: cause instanceof Error ? cause.message : String(cause) },
			);
		}
	};
	apply(material.value);
	const stopFollowing = material.subscribe(apply);

	/** By address and port of the client. */
	const unfinished = new Map<string, Socket>();
	let quietUntilMs = 0;
	let unreported = 0;
	server.on("connection", (socket: Socket) => {
		const client = clientOf(socket);
		unfinished.set(client, socket);
		socket.once("close", () => {
			if (unfinished.get(client) === socket) unfinished.delete(client);
		});
	});
	server.on("secureConnection", (socket: TLSSocket) => {
		unfinished.delete(clientOf(socket));
		// Of no use to our clients, and work for us.
		socket.disableRenegotiation();
	});
	server.on("tlsClientError", (error: Error, socket: TLSSocket) => {
		const client = clientOf(socket);
		socket.destroy();
		unreported += 1;
		const nowMs = performance.now();
		if (nowMs < quietUntilMs) return;
		quietUntilMs = nowMs + warnEveryMs;
		log.warn("A TLS handshake failed", {
			client,
			reason: error.message,
			failed: unreported,
		});
		unreported = 0;
	});
	return {
		stop() {
			stopFollowing();
			for (const socket of unfinished.values()) socket.destroy();
		},
	};
}

function contextOptions({ cert, key }: TlsMaterial): SecureContextOptions {
	return { cert, key: key.reveal(), ...versions };
}

function clientOf({ remoteAddress, remotePort }: Socket): string {
	const address: Address = {
		host: remoteAddress ?? "",
		port: remotePort ?? 0,
	};
	return printAddress(address);
}
