import { chmodSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { TemporaryFolder } from "../../test/testkit/temporary-folder.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { type KubeConfigOptions, loadKubeConfig } from "./kube-config.ts";
import { KubeError } from "./kube-error.ts";

const SECRET = "sEcReTsEcReTsEcReTsEcReTsEcReTsEcReTsEcReT";

function config(fields: {
	readonly user?: object;
	readonly cluster?: object;
	readonly context?: object;
	readonly name?: string;
}): string {
	const { name = "main" } = fields;
	return JSON.stringify({
		apiVersion: "v1",
		kind: "Config",
		"current-context": name,
		contexts: [
			{ name, context: { cluster: name, user: name, ...fields.context } },
		],
		clusters: [
			{
				name,
				cluster: { server: "https://10.0.0.1:6443/", ...fields.cluster },
			},
		],
		users: [{ name, user: fields.user ?? {} }],
	});
}

function base64(text: string): string {
	return Buffer.from(text).toString("base64");
}

function options(
	folder: TemporaryFolder,
	fields: Partial<KubeConfigOptions> = {},
): KubeConfigOptions {
	return {
		environment: { ...process.env, KUBECONFIG: "", HOME: folder.path },
		clock: new TestClock(),
		...fields,
	};
}

/** The message of a failure, which must not have a secret in it. */
async function refusal(options: KubeConfigOptions): Promise<string> {
	const error = await loadKubeConfig(options).then(
		() => undefined,
		(error: unknown) => error,
	);
	expect(error).to.be.instanceOf(KubeError);
	const { code, message, cause } = error as KubeError;
	expect(code).to.equal("KUBE_CONFIG");
	expect(`${message} ${String(cause)} ${JSON.stringify(cause)}`).to.not.include(
		SECRET,
	);
	return message;
}

describe("loadKubeConfig", () => {
	let folder: TemporaryFolder;
	beforeEach(() => {
		folder = new TemporaryFolder();
	});
	afterEach(() => folder[Symbol.dispose]());

	const path = (name: string): string => join(folder.path, name);

	it("reads a server, its CA and a client certificate that stand in the file", async () => {
		folder.write(
			"config",
			config({
				cluster: {
					"certificate-authority-data": base64("the ca"),
					"tls-server-name": "api",
				},
				user: {
					"client-certificate-data": base64("the cert"),
					"client-key-data": base64("the key"),
				},
				context: { namespace: "shop" },
			}),
		);
		const access = await loadKubeConfig(
			options(folder, { kubeconfig: path("config") }),
		);
		expect(access).to.include({
			server: "https://10.0.0.1:6443",
			serverName: "api",
			insecure: false,
			namespace: "shop",
		});
		expect(await access.load()).to.deep.equal({
			ca: "the ca",
			authorization: undefined,
			certificate: { cert: "the cert", key: "the key" },
		});
	});

	it("reads files that it names, beside it, and reads them anew each time", async () => {
		folder.write(
			"config",
			config({
				cluster: { "certificate-authority": "ca.crt" },
				user: { tokenFile: "token", token: "not this one" },
			}),
		);
		folder.write("ca.crt", "the ca");
		folder.write("token", "one\n");
		const access = await loadKubeConfig(
			options(folder, { kubeconfig: path("config") }),
		);
		expect((await access.load()).authorization).to.equal("Bearer one");
		folder.write("token", "two\n");
		folder.write("ca.crt", "another ca");
		expect(await access.load()).to.include({
			authorization: "Bearer two",
			ca: "another ca",
		});
	});

	it("looks where kubectl looks: the file named, KUBECONFIG, the home folder, the pod", async () => {
		folder.write("named", config({ user: { token: "named" } }));
		folder.write("listed", config({ user: { token: "listed" } }));
		folder.write("account/namespace", "lateen-system");
		folder.write("account/ca.crt", "the ca");
		folder.write("account/token", "pod");
		const pod = {
			KUBERNETES_SERVICE_HOST: "fd00::1",
			KUBERNETES_SERVICE_PORT: "443",
			HOME: folder.path,
		};
		const serviceAccountFolder = path("account");
		const load = async (
			environment: Record<string, string>,
			more: Partial<KubeConfigOptions> = {},
		) => {
			const access = await loadKubeConfig(
				options(folder, { environment, serviceAccountFolder, ...more }),
			);
			return [access.server, (await access.load()).authorization];
		};
		const KUBECONFIG = `${path("nowhere")}:${path("listed")}`;
		expect(await load(pod)).to.deep.equal([
			"https://[fd00::1]:443",
			"Bearer pod",
		]);
		folder.write(".kube/config", config({ user: { token: "home" } }));
		expect((await load(pod))[1]).to.equal("Bearer home");
		expect((await load({ ...pod, KUBECONFIG }))[1]).to.equal("Bearer listed");
		expect(
			(await load({ ...pod, KUBECONFIG }, { kubeconfig: path("named") }))[1],
		).to.equal("Bearer named");
		expect(
			(await load({ ...pod, KUBECONFIG }, { inCluster: true }))[1],
		).to.equal("Bearer pod");
	});

	it("follows the token of its own pod, which the kubelet replaces", async () => {
		folder.write("account/namespace", "lateen-system\n");
		folder.write("account/ca.crt", "the ca");
		folder.write("account/token", "one");
		const access = await loadKubeConfig(
			options(folder, {
				inCluster: true,
				environment: { KUBERNETES_SERVICE_HOST: "10.96.0.1" },
				serviceAccountFolder: path("account"),
			}),
		);
		expect(access.namespace).to.equal("lateen-system");
		folder.write("account/token", "two");
		expect((await access.load()).authorization).to.equal("Bearer two");
	});

	it("takes several files as one, the first saying what counts", async () => {
		folder.write("one", config({ name: "one", user: { token: "1" } }));
		folder.write("two", config({ name: "two", user: { token: "2" } }));
		const environment = {
			HOME: folder.path,
			KUBECONFIG: `${path("one")}:${path("two")}`,
		};
		const token = async (context?: string) => {
			const access = await loadKubeConfig(
				options(folder, { environment, ...(context && { context }) }),
			);
			return (await access.load()).authorization;
		};
		expect(await token()).to.equal("Bearer 1");
		expect(await token("two")).to.equal("Bearer 2");
	});

	it("acts as somebody else when told to", async () => {
		folder.write(
			".kube/config",
			config({
				user: {
					token: "t",
					as: "jane",
					"as-groups": ["dev", "ops"],
					"as-user-extra": { "example.org/scope": ["a"] },
				},
			}),
		);
		const access = await loadKubeConfig(options(folder));
		expect(access.headers).to.deep.equal({
			"impersonate-user": "jane",
			"impersonate-group": ["dev", "ops"],
			"impersonate-extra-example.org%2fscope": ["a"],
		});
	});

	for (const { name, text, says } of [
		{ name: "no YAML", text: `a: [${SECRET}`, says: "line 1 is no valid YAML" },
		{ name: "a list", text: "[]", says: "it must be an object" },
		{
			name: "a token that is no string",
			text: config({ user: { token: { a: SECRET } } }),
			says: "users[0].user.token must be a string",
		},
		{
			name: "a token with a newline in it",
			text: config({ user: { token: `${SECRET}\nx-admin: 1` } }),
			says: "characters that no token has",
		},
		{
			name: "a server that is no address",
			text: config({ cluster: { server: "10.0.0.1" } }),
			says: '"10.0.0.1" is not the address of an API server',
		},
		{
			name: "a user that is not there",
			text: config({ context: { user: "mian" } }),
			says: 'no user named "mian". Did you mean "main"?',
		},
		{
			name: "a CA file that is not there",
			text: config({ cluster: { "certificate-authority": "gone.crt" } }),
			says: "gone.crt cannot be read",
		},
		{
			name: "an auth-provider",
			text: config({ user: { "auth-provider": { name: "oidc" } } }),
			says: "use a credential plugin (exec) instead",
		},
		{
			name: "a proxy",
			text: config({ cluster: { "proxy-url": "http://proxy:3128" } }),
			says: "clusters[0].cluster.proxy-url is not supported",
		},
	]) {
		it(`refuses ${name}, and says where`, async () => {
			folder.write(".kube/config", text);
			expect(await refusal(options(folder))).to.include(says);
		});
	}

	it("says what to do when there is nothing, or no such context", async () => {
		expect(await refusal(options(folder))).to.include("--kubeconfig");
		folder.write(".kube/config", config({}));
		expect(await refusal(options(folder, { context: "prod" }))).to.include(
			'no context named "prod"',
		);
	});

	describe("with a credential plugin", () => {
		function plugin(script: string, fields: object = {}): void {
			folder.write("bin/plugin", `#!/bin/sh\n${script}\n`);
			chmodSync(path("bin/plugin"), 0o755);
			folder.write(
				".kube/config",
				config({
					user: {
						exec: {
							apiVersion: "client.authentication.k8s.io/v1",
							command: "../bin/plugin",
							args: ["get-token"],
							env: [{ name: "WHO", value: "jane" }],
							interactiveMode: "Never",
							...fields,
						},
					},
				}),
			);
		}

		/** A program that counts its runs and answers a token that says what it was given. */
		const counting = `
echo run >> runs
printf '{"kind":"ExecCredential","status":{"token":"%s-%s-%s"%s}}' "$1" "$WHO" "$(wc -l < runs | tr -d ' ')" "$EXPIRES"`;

		it("runs it once, and again when what it said has expired", async () => {
			const clock = new TestClock(Date.UTC(2026, 0, 1));
			plugin(`cd ${folder.path}; ${counting}`, {
				env: [
					{ name: "WHO", value: "jane" },
					{
						name: "EXPIRES",
						value: ',"expirationTimestamp":"2026-01-01T01:00:00Z"',
					},
				],
			});
			const access = await loadKubeConfig(options(folder, { clock }));
			const token = async () => (await access.load()).authorization;
			expect(await token()).to.equal("Bearer get-token-jane-1");
			expect(await token()).to.equal("Bearer get-token-jane-1");
			clock.jump(3_600_000);
			expect(await Promise.all([token(), token()])).to.deep.equal([
				"Bearer get-token-jane-2",
				"Bearer get-token-jane-2",
			]);
		});

		it("runs it again when its credentials are refused, once for all who were", async () => {
			plugin(`cd ${folder.path}; ${counting}`);
			const access = await loadKubeConfig(options(folder));
			const refused = await access.load();
			const [one, two] = await Promise.all([
				access.load(refused),
				access.load(refused),
			]);
			expect(one.authorization).to.equal("Bearer get-token-jane-2");
			expect(two).to.deep.equal(one);
			// Somebody who comes late with the old ones gets the new ones.
			expect(await access.load(refused)).to.deep.equal(one);
		});

		it("tells it about the cluster when it asks", async () => {
			plugin(
				`printf '{"status":{"clientCertificateData":"c","clientKeyData":"k","token":"%s"}}' "$(printf %s "$KUBERNETES_EXEC_INFO" | base64 -w0)"`,
				{ provideClusterInfo: true },
			);
			const access = await loadKubeConfig(options(folder));
			const { authorization, certificate } = await access.load();
			expect(certificate).to.deep.equal({ cert: "c", key: "k" });
			const info = Buffer.from(authorization?.slice(7) ?? "", "base64");
			expect(JSON.parse(info.toString())).to.deep.equal({
				apiVersion: "client.authentication.k8s.io/v1",
				kind: "ExecCredential",
				spec: {
					interactive: false,
					cluster: { server: "https://10.0.0.1:6443" },
				},
			});
		});

		for (const { name, script, says } of [
			{
				name: "fails",
				script: `echo "session expired: ${SECRET}, log in" >&2; exit 3`,
				says: "failed (3): session expired: …, log in.",
			},
			{
				name: "prints something else",
				script: `echo token=${SECRET}`,
				says: "printed no JSON",
			},
			{
				name: "prints no credential",
				script: `echo '{"status":{"clientKeyData":"${SECRET}"}}'`,
				says: "neither a token nor a certificate",
			},
		]) {
			it(`says that it ${name}, without what it printed`, async () => {
				plugin(script);
				expect(await refusal(options(folder))).to.include(says);
			});
		}

		it("says how to get it when it is not there", async () => {
			plugin("true", {
				command: "lateen-no-such-plugin",
				installHint: "Get it from example.com",
			});
			expect(await refusal(options(folder))).to.include(
				"lateen-no-such-plugin cannot be run. Get it from example.com.",
			);
		});
	});
});
