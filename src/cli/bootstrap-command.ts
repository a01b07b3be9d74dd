import type { KeyObject } from "node:crypto";
import { chmod, mkdir, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { serveSchema } from "../settings/schema.ts";
import { generateBootstrap, generateGrpcBootstrap } from "../xds/bootstrap.ts";
import { parseNode } from "../xds/parse-node.ts";
import type { Proxy, ProxyAddresses } from "../xds/proxy.ts";
import { mintToken } from "../xds/proxy-token.ts";
import { parseHostPort, type SocketAddress } from "../xds/socket-address.ts";
import { type Call, type Command, defineCommand } from "./command.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { readServeFile } from "./server-client.ts";

/** Reads the key that signs proxy tokens from a state directory; makes it at its first use. */
export type ReadTokenKey = (stateDir: string) => Promise<KeyObject>;

const options = {
	proxy: {
		type: "text",
		placeholder: "NAMESPACE/NAME",
		help: "Workload that the proxy stands beside",
	},
	gateway: {
		type: "text",
		placeholder: "[NAMESPACE/]NAME",
		help: "Gateway that the proxy is, instead of --proxy; the namespace is `default` when left out",
	},
	grpc: {
		type: "boolean",
		help: "Make the bootstrap of a gRPC client without a proxy (GRPC_XDS_BOOTSTRAP); it holds the token",
	},
	captured: {
		type: "boolean",
		help: "Traffic reaches the proxy by iptables; without it, by the addresses below",
	},
	outbound: {
		type: "address",
		help: "Where the proxy accepts what HTTP_PROXY sends",
	},
	inbound: {
		type: "text",
		repeatable: true,
		placeholder: "LISTEN=APPLICATION[=PROTOCOL]",
		help: "Listener in front of a port of the application, both as IP:PORT; PROTOCOL is http, http2, grpc, tcp, tls or sniffed",
	},
	tcp: {
		type: "text",
		repeatable: true,
		placeholder: "HOST:PORT=LISTEN",
		help: "Local listener for a TCP service",
	},
	listen: {
		type: "address",
		repeatable: true,
		help: "Where a gateway accepts",
	},
	suffix: {
		type: "text",
		default: "",
		help: "Tells several proxies of one workload apart",
	},
	admin: {
		type: "address",
		default: "127.0.0.1:0",
		help: "Envoy's own admin interface, on 127.0.0.1; with port 0 Envoy writes it to the file of --admin-address-path",
	},
	xds: {
		type: "text",
		placeholder: "ADDRESS|unix:PATH",
		help: "The control plane; by default what serve.json in the state directory says, else 127.0.0.1:15010",
	},
	tokenTtl: {
		type: "duration",
		default: "720h",
		min: 1000,
		help: "How long the token is good; run the command again to replace it, Envoy notices",
	},
	out: {
		type: "path",
		placeholder: "DIR",
		help: "Write envoy.json, token and token-sds.json there; without it the bootstrap is printed and the token goes to the state directory",
	},
	stateDir: {
		...serveSchema.stateDir,
		help: "State directory of the server, which holds the key that signs tokens",
	},
} as const;

type BootstrapCall = Call<typeof options>;

/** `lateen bootstrap`. */
export function bootstrapCommand(readTokenKey: ReadTokenKey): Command {
	return defineCommand(
		{
			name: "bootstrap",
			summary: "Make the files that one Envoy starts with",
			usage: "--proxy NAMESPACE/NAME|--gateway NAME [flags]",
			details: [
				"The proxy proves who it is by a token that is signed with the key in the server's state directory, so run this where the server runs. The token file is readable by its owner only; replace it by running the command again.",
			],
			options,
			examples: [
				[
					"A sidecar with explicit listeners, written to a folder",
					"lateen bootstrap --proxy default/reviews-v1 --outbound 127.0.0.1:15001 --inbound 127.0.0.1:9081=127.0.0.1:9080=http --out /tmp/reviews-v1",
				],
				["Start it", "envoy -c /tmp/reviews-v1/envoy.json"],
				[
					"A gateway",
					"lateen bootstrap --gateway ingress --listen 127.0.0.1:8080 > envoy.json",
				],
				[
					"A gRPC client without a proxy",
					"lateen bootstrap --proxy default/client --grpc > xds.json",
				],
			],
		},
		(call) => runBootstrap(call, readTokenKey),
	);
}

async function runBootstrap(
	call: BootstrapCall,
	readTokenKey: ReadTokenKey,
): Promise<ExitCode> {
	const { values, positionals, terminal, usageError } = call;
	const problems: string[] = [];
	const report = (problem: string): void => void problems.push(problem);
	if (positionals.length > 0)
		report(`What is ${JSON.stringify(positionals[0])}? It takes flags only.`);
	const kind = kindOf(call, report);
	const workload = workloadOf(call, report);
	const server = await serverOf(call, report);
	const addresses = addressesOf(call, report);
	const admin = parseHostPort(values.admin.replace(/:0$/, ":65535"));
	if (admin !== undefined && !["127.0.0.1", "localhost"].includes(admin.host))
		report(
			"--admin must be on 127.0.0.1: Envoy's admin interface can stop it.",
		);
	if (server === undefined || problems.length > 0)
		return usageError(...problems);

	await mkdir(values.stateDir, { recursive: true, mode: 0o700 });
	const key = await readTokenKey(values.stateDir);
	const expiresMs = Date.now() + values.tokenTtl;
	const token = mintToken({ workload, kind, expiresMs }, key);
	if (kind === "grpc") {
		const bootstrap = generateGrpcBootstrap({
			workload,
			suffix: values.suffix,
			server,
			token,
		});
		return finish(call, bootstrap, "xds.json", 0o600);
	}
	const directory = resolve(
		values.out ??
			join(values.stateDir, "proxies", `${kind}~${workload.replace("/", "~")}`),
	);
	const { bootstrap, tokenSds } = generateBootstrap({
		workload,
		kind,
		suffix: values.suffix,
		attachment: values.captured ? "captured" : "explicit",
		addresses,
		server,
		adminPort: Number(values.admin.split(":").at(-1)),
		tokenFile: join(directory, "token"),
		tokenSdsFile: join(directory, "token-sds.json"),
	});
	const parsed = parseNode(nodeOf(bootstrap));
	if ("violations" in parsed)
		return usageError(
			...parsed.violations.map(
				({ path, message }) =>
					`${path.replace("node.metadata.lateen.", "")}: ${message}`,
			),
		);
	await mkdir(directory, { recursive: true, mode: 0o700 });
	await replaceFile(join(directory, "token"), token, 0o600);
	await replaceFile(join(directory, "token-sds.json"), print(tokenSds), 0o644);
	const code = await finish(call, bootstrap, "envoy.json", 0o644);
	terminal.err(
		`The token in ${directory} is good until ${new Date(expiresMs).toISOString()}.\n`,
	);
	return code;
}

type Report = (problem: string) => void;

function kindOf({ values }: BootstrapCall, report: Report): Proxy["kind"] {
	if ((values.proxy === undefined) === (values.gateway === undefined))
		report("Name either a workload with --proxy or a gateway with --gateway.");
	if (values.gateway === undefined) return values.grpc ? "grpc" : "sidecar";
	if (values.grpc) report("--grpc goes with --proxy, not with --gateway.");
	if (values.listen.length === 0)
		report("A gateway needs --listen, like --listen 127.0.0.1:8080.");
	return "gateway";
}

function workloadOf({ values }: BootstrapCall, report: Report): string {
	const { proxy, gateway } = values;
	const name =
		proxy ??
		(gateway?.includes("/") === false ? `default/${gateway}` : gateway);
	if (name !== undefined && !/^[a-z0-9-]{1,63}\/[a-z0-9.-]{1,253}$/.test(name))
		report(
			`${JSON.stringify(name)} is not NAMESPACE/NAME in lower case, like default/reviews-v1.`,
		);
	if (!/^[A-Za-z0-9._-]{0,63}$/.test(values.suffix))
		report("--suffix takes letters, digits, dots, dashes and underscores.");
	return name ?? "";
}

async function serverOf(
	{ values }: BootstrapCall,
	report: Report,
): Promise<SocketAddress | undefined> {
	const text =
		values.xds ??
		(await readServeFile(values.stateDir))?.xds ??
		serveSchema.xdsListen.default;
	if (text.startsWith("unix:")) return { path: text.slice("unix:".length) };
	if (text.startsWith("/")) return { path: text };
	const address = parseHostPort(text);
	if (address === undefined)
		report(
			`--xds is ${JSON.stringify(text)}; expected is an address like 127.0.0.1:15010, with its port.`,
		);
	return address;
}

function addressesOf(
	{ values }: BootstrapCall,
	report: Report,
): ProxyAddresses {
	if (values.captured && values.outbound !== undefined)
		report("--outbound is for explicit proxies, not with --captured.");
	return {
		...(values.outbound === undefined ? {} : { outbound: values.outbound }),
		inbound: values.inbound.map((text) => {
			const [listen = "", application = "", protocol = "sniffed", ...more] =
				text.split("=");
			const known = inboundProtocols.find((one) => one === protocol);
			if (application === "" || more.length > 0 || known === undefined)
				report(
					`--inbound is ${JSON.stringify(text)}; expected is LISTEN=APPLICATION=PROTOCOL with one of ${inboundProtocols.join(", ")}, like 127.0.0.1:9081=127.0.0.1:9080=http.`,
				);
			return { listen, application, protocol: known ?? "sniffed" };
		}),
		tcp: values.tcp.map((text) => {
			const [service = "", listen = "", ...more] = text.split("=");
			if (listen === "" || more.length > 0)
				report(
					`--tcp is ${JSON.stringify(text)}; expected is HOST:PORT=LISTEN, like mysql.default.svc.cluster.local:3306=127.0.0.1:3306.`,
				);
			return { service, listen };
		}),
		gateway: values.listen.map((listen) => ({ listen })),
	};
}

const inboundProtocols = [
	"http",
	"http2",
	"grpc",
	"tcp",
	"tls",
	"sniffed",
] as const;

function nodeOf(bootstrap: Readonly<Record<string, unknown>>): {
	readonly id: string;
	readonly metadata: unknown;
} {
	const node = bootstrap["node"];
	if (
		typeof node === "object" &&
		node !== null &&
		"id" in node &&
		"metadata" in node
	)
		return { id: String(node.id), metadata: node.metadata };
	throw new Error("A bootstrap names its node.");
}

/** Writes the bootstrap where the caller wants it. */
async function finish(
	{ values, terminal }: BootstrapCall,
	bootstrap: unknown,
	name: string,
	mode: number,
): Promise<ExitCode> {
	if (values.out === undefined) {
		terminal.out(print(bootstrap));
		return exitCode.ok;
	}
	await mkdir(values.out, { recursive: true, mode: 0o700 });
	await replaceFile(join(values.out, name), print(bootstrap), mode);
	terminal.err(`Wrote ${join(values.out, name)}.\n`);
	return exitCode.ok;
}

/** Replaces a file in one step: whoever watches it sees the old or the new one. */
async function replaceFile(
	path: string,
	text: string,
	mode: number,
): Promise<void> {
	const draft = `${path}.new`;
	await writeFile(draft, text, { mode });
	// The mode of `writeFile` counts for new files only; a draft may be left over.
	await chmod(draft, mode);
	await rename(draft, path);
}

function print(value: unknown): string {
	return `${JSON.stringify(value, undefined, 2)}\n`;
}
