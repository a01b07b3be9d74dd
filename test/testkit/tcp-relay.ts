import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Passes TCP connections on to a port of this machine, until a test says otherwise. */
export class TcpRelay implements AsyncDisposable {
	readonly #target: number;
	readonly #pairs = new Set<readonly [Socket, Socket]>();
	readonly #server: Server;
	#mode: "pass" | "refuse" | "swallow" = "pass";

	private constructor(target: number) {
		this.#target = target;
		this.#server = createServer((near) => this.#take(near));
	}

	/** Starts a relay on a free port. */
	static async to(target: number): Promise<TcpRelay> {
		const relay = new TcpRelay(target);
		await new Promise<void>((resolve) => {
			relay.#server.listen(0, "127.0.0.1", resolve);
		});
		return relay;
	}

	get port(): number {
		return (this.#server.address() as AddressInfo).port;
	}

	/** How many connections are open. */
	get open(): number {
		return this.#pairs.size;
	}

	/** Passes everything on; connections that were swallowed stay as they are. */
	pass(): void {
		this.#mode = "pass";
	}

	/** Cuts all connections, and each new one at once. */
	refuse(): void {
		this.#mode = "refuse";
		this.#end();
	}

	/** Takes what comes and passes nothing on, in both directions: what a firewall does that has forgotten a connection. */
	swallow(): void {
		this.#mode = "swallow";
		for (const [near, far] of this.#pairs) {
			near.unpipe(far).resume();
			far.unpipe(near).resume();
		}
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#end();
		await new Promise<void>((resolve) => {
			this.#server.close(() => resolve());
		});
	}

	#end(): void {
		for (const [near, far] of this.#pairs) {
			near.destroy();
			far.destroy();
		}
	}

	#take(near: Socket): void {
		if (this.#mode === "refuse") {
			near.destroy();
			return;
		}
		const far = connect(this.#target, "127.0.0.1");
		const pair = [near, far] as const;
		this.#pairs.add(pair);
		const end = (): void => {
			this.#pairs.delete(pair);
			near.destroy();
			far.destroy();
		};
		for (const socket of pair) socket.on("error", end).on("close", end);
		if (this.#mode === "swallow") {
			near.resume();
			return;
		}
		near.pipe(far);
		far.pipe(near);
	}
}
