import type { KeyObject } from "node:crypto";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { serveSchema } from "../settings/schema.ts";
import { generateBootstrap, generateGrpcBootstrap } from "../xds/bootstrap.ts";
import { parseNode } from "../xds/parse-node.ts";
import { mintToken } from "../xds/proxy-token.ts";
import { parseHostPort, type SocketAddress } from "../xds/socket-address.ts";
import { type Call, type Command, defineCommand } from "./command.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { describeProxy, proxyOptions, type Report } from "./proxy-options.ts";
import { readServeFile } from "./server-client.ts";

/** Reads the key that signs proxy tokens from a state directory; makes it at its first use. */
export type ReadTokenKey = (stateDir: string) => Promise<KeyObject>;

/** The Service of the manifests. */
const clusterServer = "lateen.lateen-system.svc:15012";

const options = {
	...proxyOptions,
	admin: {
		type: "address",
		default: "127.0.0.1:0",
		help: "Envoy's own admin interface, on 127.0.0.1; with port 0 Envoy writes it to the file of --admin-address-path",
	},
	xds: {
		type: "text",
		placeholder: "ADDRESS|unix:PATH",
		help: "The control plane; by default what serve.json in the state directory says, else 127.0.0.1:15010; with --token-file, lateen.lateen-system.svc:15012",
	},
	tokenFile: {
		type: "path",
		placeholder: "FILE",
		help: "In a Kubernetes cluster: where the proxy finds the ServiceAccount token of its pod, with the audience lateen.dev; no token is made then",
	},
	caFile: {
		type: "path",
		placeholder: "FILE",
		help: "Where the proxy finds the authorities (PEM) that it trusts the control plane's certificate by; needed with --token-file",
	},
	serverName: {
		type: "text",
		placeholder: "NAME",
		help: "Name or IP address in the control plane's certificate; by default the host in --xds",
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
				"In a Kubernetes cluster it is the ServiceAccount token of its pod (--token-file), sent over TLS. --proxy is the pod then; a gateway is named by --gateway, and its pod by --suffix. Envoy notices when token and authorities are replaced by a rename, as the kubelet does it, and needs no agent beside it.",
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
					"A sidecar in a Kubernetes cluster",
					"lateen bootstrap --proxy default/reviews-v1-abc --captured --token-file /var/run/secrets/lateen/token --ca-file /etc/lateen/ca.crt --out /etc/envoy",
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
	const { kind, workload, attachment, addresses } = describeProxy(
		values,
		report,
	);
	const server = await serverOf(call, report);
	const inCluster =
		server === undefined ? undefined : clusterFiles(values, server, report);
	const admin = parseHostPort(values.admin.replace(/:0$/, ":65535"));
	if (admin !== undefined && !["127.0.0.1", "localhost"].includes(admin.host))
		report(
			"--admin must be on 127.0.0.1: Envoy's admin interface can stop it.",
		);
	if (server === undefined || problems.length > 0)
		return usageError(...problems);

	const mint = async (): Promise<MintedToken> => {
		await mkdir(values.stateDir, { recursive: true, mode: 0o700 });
		const key = await readTokenKey(values.stateDir);
		const expiresMs = Date.now() + values.tokenTtl;
		return { token: mintToken({ workload, kind, expiresMs }, key), expiresMs };
	};
	if (kind === "grpc") {
		const token =
			inCluster === undefined
				? (await mint()).token
				: await readToken(inCluster.tokenFile, report);
		if (problems.length > 0) return usageError(...problems);
		const bootstrap = generateGrpcBootstrap({
			workload,
			suffix: values.suffix,
			server,
			token,
			...(inCluster && {
				files: { token: inCluster.tokenFile, ca: inCluster.caFile },
			}),
		});
		return finish(call, bootstrap, "xds.json", 0o600);
	}
	const directory = resolve(
		values.out ??
			join(values.stateDir, "proxies", `${kind}~${workload.replace("/", "~")}`),
	);
	const { bootstrap, tokenSds, caSds } = generateBootstrap({
		workload,
		kind,
		suffix: values.suffix,
		attachment,
		addresses,
		server,
		adminPort: Number(values.admin.split(":").at(-1)),
		tokenFile: inCluster?.tokenFile ?? join(directory, "token"),
		tokenSdsFile: join(directory, "token-sds.json"),
		...(inCluster && {
			tls: {
				caFile: inCluster.caFile,
				caSdsFile: join(directory, "ca-sds.json"),
				serverName: inCluster.serverName,
			},
		}),
	});
	const parsed = parseNode(nodeOf(bootstrap));
	if ("violations" in parsed)
		return usageError(
			...parsed.violations.map(
				({ path, message }) =>
					`${path.replace("node.metadata.lateen.", "")}: ${message}`,
			),
		);
	const minted = inCluster === undefined ? await mint() : undefined;
	await mkdir(directory, { recursive: true, mode: 0o700 });
	if (minted !== undefined)
		await replaceFile(join(directory, "token"), minted.token, 0o600);
	await replaceFile(join(directory, "token-sds.json"), print(tokenSds), 0o644);
	if (caSds !== undefined)
		await replaceFile(join(directory, "ca-sds.json"), print(caSds), 0o644);
	const code = await finish(call, bootstrap, "envoy.json", 0o644);
	if (minted !== undefined)
		terminal.err(
			`The token in ${directory} is good until ${new Date(minted.expiresMs).toISOString()}.\n`,
		);
	return code;
}

interface MintedToken {
	readonly token: string;
	readonly expiresMs: number;
}

/** What a proxy in a Kubernetes cluster finds beside it. */
interface ClusterFiles {
	readonly tokenFile: string;
	readonly caFile: string;
	readonly serverName: string;
}

/** The files of a proxy in a cluster, or undefined for one that gets a token of ours. */
function clusterFiles(
	{ tokenFile, caFile, serverName }: BootstrapCall["values"],
	server: SocketAddress,
	report: Report,
): ClusterFiles | undefined {
	if (tokenFile === undefined) {
		if (caFile !== undefined || serverName !== undefined)
			report("--ca-file and --server-name go with --token-file.");
		return undefined;
	}
	if (caFile === undefined)
		report(
			"--token-file needs --ca-file: without it the token would go to whoever answers.",
		);
	const expected = serverName ?? ("host" in server ? server.host : undefined);
	if (expected === undefined)
		report(
			"--server-name is needed: a socket has no name that could stand in a certificate.",
		);
	return {
		tokenFile: resolve(tokenFile),
		caFile: resolve(caFile ?? ""),
		serverName: expected ?? "",
	};
}

async function readToken(path: string, report: Report): Promise<string> {
	try {
		return (await readFile(path, "utf8")).trim();
	} catch (error) {
		report(
			`--token-file cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
		);
		return "";
	}
}

async function serverOf(
	{ values }: BootstrapCall,
	report: Report,
): Promise<SocketAddress | undefined> {
	const text =
		values.xds ??
		(values.tokenFile === undefined ? undefined : clusterServer) ??
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
