// How a real Envoy proves who it is and tells us from others, with nothing
// beside it: the token and the authorities are files, as the kubelet writes them.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { expect } from "chai";
import { ensureEnvoy } from "../../../hack/ensure-envoy.ts";
import { grpcStatus } from "../../../src/lib/grpc-error.ts";
import { WritableSignal } from "../../../src/lib/signal.ts";
import { systemClock } from "../../../src/lib/system-clock.ts";
import type { TlsMaterial } from "../../../src/lib/tls-material.ts";
import { type GrpcServer, serveGrpc } from "../../../src/net/grpc-server.ts";
import { silentLogger } from "../../../src/observability/logger.ts";
import { generateBootstrap } from "../../../src/xds/bootstrap.ts";
import { adsMethods } from "../../../src/xds/server/ads.ts";
import type {
	Authenticated,
	Refusal,
} from "../../../src/xds/server/authenticate.ts";
import { ConnectedProxies } from "../../../src/xds/server/connected-proxies.ts";
import { type TestAuthority, testAuthority } from "../../testkit/authority.ts";
import { eventually } from "../../testkit/eventually.ts";
import { MemoryResources } from "../../testkit/memory-resources.ts";
import { ProjectedVolume } from "../../testkit/projected-volume.ts";
import { send } from "../../testkit/send.ts";
import { TemporaryFolder } from "../../testkit/temporary-folder.ts";

const revoked: Refusal = {
	status: grpcStatus.unauthenticated,
	refusal: "The token was revoked.",
};

/** A control plane that accepts the tokens it is told to, and one Envoy. */
class Mesh implements AsyncDisposable {
	readonly folder = new TemporaryFolder();
	readonly connected = new ConnectedProxies();
	readonly tls: WritableSignal<TlsMaterial | undefined>;
	readonly volume: ProjectedVolume;
	/** Tokens that open a stream. */
	readonly good = new Set(["token-1"]);
	/** The token of every stream that was asked for. */
	readonly seen: (string | undefined)[] = [];
	readonly #ends = new Set<(refusal: Refusal) => void>();
	#server: GrpcServer | undefined;
	#envoy: ChildProcess | undefined;
	#port = 0;

	constructor(material: TlsMaterial, ca: string) {
		this.tls = new WritableSignal<TlsMaterial | undefined>(material);
		this.volume = new ProjectedVolume(this.folder.at("volume"), {
			token: "token-1",
			"ca.crt": ca,
		});
	}

	async start(serverName = "localhost"): Promise<void> {
		await this.serve();
		const { bootstrap, tokenSds, caSds } = generateBootstrap({
			workload: "default/reviews-v1",
			kind: "sidecar",
			attachment: "explicit",
			addresses: { inbound: [], tcp: [], gateway: [] },
			server: { host: "127.0.0.1", port: this.#port },
			adminPort: 0,
			tokenFile: this.volume.at("token"),
			tokenSdsFile: this.folder.at("token-sds.json"),
			tls: {
				caFile: this.volume.at("ca.crt"),
				caSdsFile: this.folder.at("ca-sds.json"),
				serverName,
			},
		});
		this.folder.write("token-sds.json", JSON.stringify(tokenSds));
		this.folder.write("ca-sds.json", JSON.stringify(caSds));
		this.folder.write("envoy.json", JSON.stringify(bootstrap));
		this.#envoy = spawn(
			await ensureEnvoy(),
			[
				...["-c", this.folder.at("envoy.json"), "-l", "critical"],
				...["--admin-address-path", this.folder.at("admin")],
				...["--concurrency", "1", "--use-dynamic-base-id"],
			],
			{ stdio: "ignore" },
		);
	}

	/** Starts the server, at the port that it had before. */
	async serve(): Promise<void> {
		this.#server = await serveGrpc({
			listen: { host: "127.0.0.1", port: this.#port },
			tls: this.tls,
			limits: { stopMs: 100 },
			log: silentLogger,
			methods: adsMethods({
				directory: new MemoryResources(),
				authenticate: (peer, { proxy }) =>
					this.#authenticate(peer.bearerToken, { proxy }),
				connected: this.connected,
				clock: systemClock,
				log: silentLogger,
			}),
		});
		const { address } = this.#server;
		if ("path" in address) throw new Error("It is a port.");
		this.#port = address.port;
	}

	/** Ends the server with all its connections. */
	async stop(): Promise<void> {
		await this.#server?.[Symbol.asyncDispose]();
	}

	/** Ends every stream, as when its token is revoked. */
	revoke(): void {
		for (const end of [...this.#ends]) end(revoked);
	}

	/** Resolves when Envoy has an open stream. */
	async isConnected(): Promise<void> {
		await eventually(() => expect(this.connected.size).to.equal(1));
	}

	/** A counter of Envoy, as it is now. */
	async counter(name: string): Promise<number> {
		const address = readFileSync(this.folder.at("admin"), "utf8").trim();
		const { body } = await send(`http://${address}/stats?filter=${name}`);
		const found = /: (\d+)/.exec(body);
		if (found === null) throw new Error(`There is no ${name}.`);
		return Number(found[1]);
	}

	get isRunning(): boolean {
		return this.#envoy?.exitCode === null;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#envoy?.exitCode === null) {
			this.#envoy.kill("SIGKILL");
			await once(this.#envoy, "exit");
		}
		await this.stop();
		this.folder[Symbol.dispose]();
	}

	#authenticate(
		token: string | undefined,
		proven: Authenticated,
	): Authenticated | Refusal {
		this.seen.push(token);
		if (!this.good.has(token ?? "")) return revoked;
		return {
			...proven,
			watch: (end) => {
				this.#ends.add(end);
				return () => this.#ends.delete(end);
			},
		};
	}
}

describe("the identity of a real Envoy in a cluster", function () {
	this.timeout(30_000);
	let authority: TestAuthority;
	let mesh: Mesh;

	before(() => {
		authority = testAuthority("first");
	});

	afterEach(() => mesh[Symbol.asyncDispose]());

	it("is proven over TLS by the token in the file, and by the new one after the kubelet has replaced it", async () => {
		mesh = new Mesh(authority.issue(), authority.ca);
		await mesh.start();
		await mesh.isConnected();
		expect(mesh.seen).to.deep.equal(["token-1"]);
		mesh.good.add("token-2");
		mesh.volume.put({ token: "token-2", "ca.crt": authority.ca });
		// Envoy reads the file a moment after the rename; a stream that is opened before has the old token.
		await eventually(async () => {
			mesh.revoke();
			await mesh.isConnected();
			expect(mesh.seen.at(-1)).to.equal("token-2");
		});
		expect(mesh.isRunning).to.equal(true);
	});

	it("is refused with an expired token, and proven again without a restart once there is a new one", async () => {
		mesh = new Mesh(authority.issue(), authority.ca);
		await mesh.start();
		await mesh.isConnected();
		mesh.good.delete("token-1");
		mesh.revoke();
		// It asks again and again, and is refused each time.
		await eventually(() => expect(mesh.seen.length).to.be.at.least(3));
		expect(mesh.connected.size).to.equal(0);
		mesh.good.add("token-2");
		mesh.volume.put({ token: "token-2", "ca.crt": authority.ca });
		await mesh.isConnected();
		expect(mesh.seen.at(-1)).to.equal("token-2");
		expect(mesh.isRunning).to.equal(true);
	});

	it("goes on through a rotation of the authority on one and the same stream, and connects by the new one alone afterwards", async () => {
		mesh = new Mesh(authority.issue(), authority.ca);
		await mesh.start();
		await mesh.isConnected();
		const second = testAuthority("second");
		const updates = (): Promise<number> =>
			mesh.counter(
				"cluster.lateen.client_ssl_socket_factory.ssl_context_update_by_sds",
			);
		const before = await updates();
		mesh.volume.put({
			token: "token-1",
			"ca.crt": authority.ca + second.ca,
		});
		await eventually(async () =>
			expect(await updates()).to.be.greaterThan(before),
		);
		mesh.tls.set(second.issue());
		mesh.volume.put({ token: "token-1", "ca.crt": second.ca });
		await eventually(async () =>
			expect(await updates()).to.be.greaterThan(before + 1),
		);
		expect(mesh.seen).to.have.length(1);
		expect(mesh.connected.size).to.equal(1);

		await mesh.stop();
		await mesh.serve();
		await mesh.isConnected();
		expect(mesh.seen).to.have.length(2);
		expect(mesh.isRunning).to.equal(true);
	});

	it("is kept from a stranger, who gets no token, until the authority is trusted", async () => {
		const stranger = testAuthority("stranger");
		mesh = new Mesh(stranger.issue(), authority.ca);
		await mesh.start();
		await eventually(async () =>
			expect(
				await mesh.counter("cluster.lateen.ssl.fail_verify_error"),
			).to.be.at.least(1),
		);
		expect(mesh.seen).to.deep.equal([]);
		mesh.volume.put({
			token: "token-1",
			"ca.crt": authority.ca + stranger.ca,
		});
		await mesh.isConnected();
	});

	const impostors: readonly {
		name: string;
		issue: () => TlsMaterial;
		counter: string;
	}[] = [
		{
			name: "has a certificate for another name",
			issue: () => authority.issue({ dns: ["other.default.svc"] }),
			counter: "fail_verify_san",
		},
		{
			name: "has an expired certificate",
			issue: () =>
				authority.issue({
					notBeforeMs: Date.now() - 7_200_000,
					notAfterMs: Date.now() - 3_600_000,
				}),
			counter: "fail_verify_error",
		},
	];
	for (const { name, issue, counter } of impostors) {
		it(`is kept from one who ${name}`, async () => {
			mesh = new Mesh(issue(), authority.ca);
			await mesh.start();
			await eventually(async () =>
				expect(
					await mesh.counter(`cluster.lateen.ssl.${counter}`),
				).to.be.at.least(1),
			);
			expect(mesh.seen).to.deep.equal([]);
			mesh.tls.set(authority.issue());
			await mesh.isConnected();
		});
	}

	it("is kept from one whose certificate is not for the address that is expected", async () => {
		mesh = new Mesh(authority.issue({ ips: ["127.0.0.2"] }), authority.ca);
		await mesh.start("127.0.0.1");
		await eventually(async () =>
			expect(
				await mesh.counter("cluster.lateen.ssl.fail_verify_san"),
			).to.be.at.least(1),
		);
		mesh.tls.set(authority.issue({ dns: [], ips: ["127.0.0.1"] }));
		await mesh.isConnected();
	});
});
