// What is injected, in the hands of a real Envoy: its arguments as the kubelet
// would write them, its volume, and a control plane that asks for the token.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import {
	connect,
	createServer as createTcpServer,
	type Server,
} from "node:net";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { expect } from "chai";
import { ensureEnvoy } from "../../../hack/ensure-envoy.ts";
import { inject } from "../../../src/injector/inject.ts";
import { recordIn, recordsIn } from "../../../src/injector/json.ts";
import { files, names } from "../../../src/injector/names.ts";
import { WritableSignal } from "../../../src/lib/signal.ts";
import { systemClock } from "../../../src/lib/system-clock.ts";
import type { TlsMaterial } from "../../../src/lib/tls-material.ts";
import {
	type GrpcServer as AdsServer,
	serveGrpc,
} from "../../../src/net/grpc-server.ts";
import { silentLogger } from "../../../src/observability/logger.ts";
import { adsMethods } from "../../../src/xds/server/ads.ts";
import { ConnectedProxies } from "../../../src/xds/server/connected-proxies.ts";
import { sidecarSecretFiles } from "../../../src/xds/sidecar-bootstrap.ts";
import { testAuthority } from "../../testkit/authority.ts";
import { eventually } from "../../testkit/eventually.ts";
import { injectContext } from "../../testkit/inject-context.ts";
import { MemoryResources } from "../../testkit/memory-resources.ts";
import { ProjectedVolume } from "../../testkit/projected-volume.ts";
import { send } from "../../testkit/send.ts";
import { TemporaryFolder } from "../../testkit/temporary-folder.ts";

/** An address of this machine that no other test listens at. */
const podIp = `127.${10 + (process.pid % 200)}.${Math.floor(process.pid / 200) % 250}.9`;

const pod = {
	apiVersion: "v1",
	kind: "Pod",
	metadata: { name: "web-1" },
	spec: {
		containers: [
			{
				name: "app",
				image: "app",
				ports: [{ name: "http", containerPort: 8080 }],
				readinessProbe: {
					httpGet: { path: "/healthz?full=1", port: "http" },
				},
				livenessProbe: { tcpSocket: { port: 8081 }, periodSeconds: 1 },
				startupProbe: { httpGet: { path: "/moved", port: 8080 } },
				lifecycle: {
					preStop: {
						httpGet: { path: "/stop", port: 8443, scheme: "HTTPS" },
					},
				},
			},
			{
				name: "rpc",
				image: "rpc",
				livenessProbe: { grpc: { port: 8082 }, periodSeconds: 1 },
			},
		],
	},
};

describe("an injected proxy with a real Envoy", function () {
	this.timeout(30_000);
	const folder = new TemporaryFolder();
	const seen: (readonly [id: string, token: string | undefined])[] = [];
	const connected = new ConnectedProxies();
	const authority = testAuthority("first");
	let server: AdsServer | undefined;
	let envoy: ChildProcess | undefined;
	let isWell = true;
	const paths: (string | undefined)[] = [];
	const http = createHttpServer((request, response) => {
		paths.push(request.url);
		if (request.url === "/moved") {
			response.writeHead(302, { location: "/login" }).end();
			return;
		}
		response.writeHead(isWell ? 204 : 500).end();
	});

	/** Starts Envoy as the kubelet would start the injected container. */
	async function start(port: number): Promise<void> {
		const result = inject(
			pod,
			injectContext({ controlPlane: `localhost:${port}` }),
		);
		if (result.kind !== "injected") throw new Error(result.kind);
		const container = recordsIn(
			recordIn(result.pod, "spec"),
			"initContainers",
		).find((one) => one["name"] === names.proxyContainer);
		const volume = new ProjectedVolume(folder.at("volume"), {
			[files.token]: "token-1",
			[files.authorities]: authority.ca,
			...secretFiles(folder.at("volume")),
		});
		const variables: Readonly<Record<string, string>> = {
			POD_NAME: "web-1",
			POD_NAMESPACE: "shop",
			POD_IP: podIp,
		};
		const args = (container?.["args"] as readonly string[] | undefined)?.map(
			(argument) =>
				argument
					.replaceAll(/\$\$|\$\((\w+)\)/g, (all, name?: string) =>
						name === undefined ? "$" : (variables[name] ?? all),
					)
					.replaceAll(names.mountPath, volume.path)
					// Other tests have admin interfaces of their own.
					.replaceAll(
						'"127.0.0.1","port_value":15000',
						`"${podIp}","port_value":15000`,
					),
		);
		envoy = spawn(await ensureEnvoy(), args ?? [], {
			stdio: ["ignore", "ignore", "inherit"],
		});
	}

	const status = (path: string): string => `http://${podIp}:15020${path}`;

	before(async () => {
		http.listen(8080, podIp);
		await once(http, "listening");
	});

	after(async () => {
		if (envoy?.exitCode === null) {
			envoy.kill("SIGKILL");
			await once(envoy, "exit");
		}
		await server?.[Symbol.asyncDispose]();
		http.close();
		folder[Symbol.dispose]();
	});

	it("does not listen for the kubelet before the control plane has said everything", async () => {
		const tls = new WritableSignal<TlsMaterial | undefined>(authority.issue());
		server = await serveGrpc({
			listen: { host: "127.0.0.1", port: 0 },
			tls,
			limits: { stopMs: 100 },
			log: silentLogger,
			methods: adsMethods({
				directory: new MemoryResources(),
				authenticate: (peer, { proxy }) => {
					seen.push([proxy.id, peer.bearerToken]);
					return isLetIn
						? { proxy, watch: () => () => undefined }
						: { status: 14, refusal: "Not yet." };
				},
				connected,
				clock: systemClock,
				log: silentLogger,
			}),
		});
		let isLetIn = false;
		const { address } = server;
		if ("path" in address) throw new Error("It is a port.");
		await start(address.port);
		await eventually(() => expect(seen).to.not.be.empty);
		expect(await listens()).to.equal(false);
		isLetIn = true;
		await eventually(async () =>
			expect((await send(status("/ready"))).status).to.equal(200),
		);
	});

	it("is the pod whose name the kubelet writes, with the token of its volume", () => {
		expect(seen.at(-1)).to.deep.equal(["sidecar~shop/web-1", "token-1"]);
	});

	it("shows its figures, and nothing else of its admin interface", async () => {
		const figures = await send(status("/stats/prometheus"));
		expect(figures.status).to.equal(200);
		expect(figures.body).to.match(/^envoy_server_live\{/m);
		for (const path of ["/quitquitquit", "/config_dump", "/stats", "/"])
			expect((await send(status(path))).status).to.equal(404);
	});

	it("asks the application by HTTP what its probe asks, and says what it says", async () => {
		const path = status("/probes/app/readinessProbe");
		expect((await send(path)).status).to.equal(204);
		expect(paths.at(-1)).to.equal("/healthz?full=1");
		isWell = false;
		expect((await send(path)).status).to.equal(500);
	});

	it("counts a redirect as success, as the kubelet does, without sending it anywhere", async () => {
		const answer = await send(status("/probes/app/startupProbe"));
		expect(answer.status).to.equal(302);
		expect(answer.headers).to.not.have.property("location");
	});

	it("calls a hook over TLS without asking whose certificate it is, and lets it take longer than a probe", async () => {
		const { cert, key } = testAuthority("somebody").issue();
		const app = createHttpsServer(
			{ cert, key: key.reveal() },
			(request, response) => {
				setTimeout(() => response.end(request.url), 1500);
			},
		);
		app.listen(8443, podIp);
		await once(app, "listening");
		try {
			const answer = await send(status("/probes/app/preStop"));
			expect(answer).to.include({ status: 200, body: "/stop" });
		} finally {
			app.closeAllConnections();
			app.close();
		}
	});

	it("tells whether somebody listens, where the probe asks by TCP", async () => {
		const path = status("/probes/app/livenessProbe");
		await eventually(async () =>
			expect((await send(path)).status).to.equal(503),
		);
		const app: Server = createTcpServer((socket) => socket.destroy());
		app.listen(8081, podIp);
		await once(app, "listening");
		await eventually(async () =>
			expect((await send(path)).status).to.equal(200),
		);
		app.close();
		await once(app, "close");
		await eventually(async () =>
			expect((await send(path)).status).to.equal(503),
		);
	});

	it("tells whether the application says SERVING, where the probe asks by gRPC", async () => {
		const path = status("/probes/rpc/livenessProbe");
		await eventually(async () =>
			expect((await send(path)).status).to.equal(503),
		);
		const app = new GrpcServer();
		let serving = 1;
		const raw = (bytes: Buffer): Buffer => bytes;
		app.addService(
			{
				Check: {
					path: "/grpc.health.v1.Health/Check",
					requestStream: false,
					responseStream: false,
					requestSerialize: raw,
					requestDeserialize: raw,
					responseSerialize: raw,
					responseDeserialize: raw,
				},
			},
			{
				Check: (_: unknown, answer: (error: null, value: Buffer) => void) =>
					answer(null, Buffer.from([0x08, serving])),
			},
		);
		await new Promise<void>((resolve, reject) => {
			app.bindAsync(
				`${podIp}:8082`,
				ServerCredentials.createInsecure(),
				(error) => (error ? reject(error) : resolve()),
			);
		});
		await eventually(async () =>
			expect((await send(path)).status).to.equal(200),
		);
		serving = 2;
		await eventually(async () =>
			expect((await send(path)).status).to.equal(503),
		);
		app.forceShutdown();
	});
});

function secretFiles(at: string): Readonly<Record<string, string>> {
	const { tokenSds, caSds } = sidecarSecretFiles({
		tokenFile: `${at}/${files.token}`,
		tokenSdsFile: `${at}/${files.tokenSds}`,
		caFile: `${at}/${files.authorities}`,
		caSdsFile: `${at}/${files.authoritiesSds}`,
	});
	return {
		[files.tokenSds]: JSON.stringify(tokenSds),
		[files.authoritiesSds]: JSON.stringify(caSds),
	};
}

/** Whether somebody listens on the status port. */
async function listens(): Promise<boolean> {
	const socket = connect(15020, podIp);
	try {
		await once(socket, "connect");
		return true;
	} catch {
		return false;
	} finally {
		socket.destroy();
	}
}
