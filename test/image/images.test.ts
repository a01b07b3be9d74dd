/**
 * The container images, built and taken apart again: without a container
 * engine, the programs in them run where nothing but the image is to be seen.
 */
import { execFile, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
	mkdirSync,
	readdirSync,
	readFileSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { expect } from "chai";
import { type Bundle, buildBundle } from "../../hack/image/bundle.ts";
import { controllerRecipe } from "../../hack/image/controller-recipe.ts";
import {
	type DebianPackages,
	openDebianPackages,
} from "../../hack/image/debian-packages.ts";
import { readElf } from "../../hack/image/elf.ts";
import { ensureNode, ensureProxy } from "../../hack/image/ensure-program.ts";
import { makeOciImage, type OciImage } from "../../hack/image/oci-image.ts";
import { proxyRecipe } from "../../hack/image/proxy-recipe.ts";
import type { Recipe } from "../../hack/image/recipe.ts";
import { sbomOf } from "../../hack/image/sbom.ts";
import { sha256 } from "../../hack/image/sha256.ts";
import { writeImage } from "../../hack/image/write-image.ts";
import { MissingPrerequisite } from "../../hack/programs/missing-prerequisite.ts";
import { captureContainer } from "../../src/injector/capture-container.ts";
import { testAuthority } from "../testkit/authority.ts";
import { figure } from "../testkit/figure.ts";
import { injectContext } from "../testkit/inject-context.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const run = promisify(execFile);

/** Fixed, so that a commit between two builds makes no difference. */
const provenance = {
	version: "0.1.0",
	revision: "0".repeat(40),
	createdSeconds: 1_700_000_000,
};
const created = "2023-11-14T22:13:20Z";

interface Descriptor {
	readonly mediaType: string;
	readonly digest: string;
	readonly size: number;
	readonly artifactType?: string;
	readonly annotations?: Readonly<Record<string, string>>;
}

interface Manifest {
	readonly schemaVersion: number;
	readonly mediaType: string;
	readonly artifactType?: string;
	readonly config: Descriptor;
	readonly layers: readonly Descriptor[];
	readonly subject?: Descriptor;
}

interface Config {
	readonly created: string;
	readonly architecture: string;
	readonly os: string;
	readonly config: {
		readonly User: string;
		readonly Env: readonly string[];
		readonly Entrypoint: readonly string[];
		readonly Labels: Readonly<Record<string, string>>;
	};
	readonly rootfs: {
		readonly type: string;
		readonly diff_ids: readonly string[];
	};
}

const parse = <T>(text: Buffer | string): T => JSON.parse(String(text)) as T;

/** Why no image can be built on this machine. */
const obstacle =
	process.platform === "linux" && process.arch === "x64"
		? await openDebianPackages().then(
				() => undefined,
				(error: unknown) => {
					if (error instanceof MissingPrerequisite) return error.message;
					throw error;
				},
			)
		: "They are for linux/amd64 and are built there.";

/** Why the programs of an image cannot be run here, with only the image to see. */
const rootObstacle =
	process.getuid?.() !== 0
		? "Only root may change what a program sees as its root."
		: spawnSync("unshare", ["--net", "--mount", "true"]).status !== 0
			? "This machine lets nobody make network namespaces."
			: undefined;

describe("the container images", function () {
	this.timeout(240_000);
	if (obstacle !== undefined) {
		it.skip(`are not built here. ${obstacle}`);
		return;
	}
	let folder: TemporaryFolder;
	let debian: DebianPackages;
	let bundle: Bundle;
	const recipes = new Map<string, Recipe>();
	const images = new Map<string, OciImage>();

	before(async () => {
		folder = new TemporaryFolder();
		debian = await openDebianPackages();
		bundle = await buildBundle();
		for (const recipe of await makeRecipes()) {
			const image = await makeOciImage(recipe, provenance);
			const { digest } = image.manifest.descriptor;
			const sbom = sbomOf(recipe, provenance, { digest, created });
			await writeImage(folder.path, recipe, image, sbom, "test");
			recipes.set(recipe.name, recipe);
			images.set(recipe.name, image);
			mkdirSync(rootOf(recipe.name));
			for (const layer of manifestOf(recipe.name).layers) {
				await run("tar", [
					...["-xzpf", blobPath(recipe.name, layer)],
					...["-C", rootOf(recipe.name)],
				]);
			}
		}
	});
	after(() => folder[Symbol.dispose]());

	const makeRecipes = async (): Promise<readonly Recipe[]> => [
		controllerRecipe(debian, await ensureNode(), bundle),
		proxyRecipe(debian, await ensureProxy()),
	];
	const rootOf = (name: string): string => folder.at(`${name}-root`);
	const blobPath = (name: string, { digest }: Descriptor): string =>
		folder.at(name, "blobs", digest.replace(":", "/"));
	const indexOf = (
		name: string,
	): {
		readonly mediaType: string;
		readonly schemaVersion: number;
		readonly manifests: readonly Descriptor[];
	} => parse(readFileSync(folder.at(name, "index.json")));
	const manifestOf = (name: string, at = 0): Manifest => {
		const descriptor = indexOf(name).manifests[at];
		if (descriptor === undefined) throw new Error("The index has too few.");
		return parse(readFileSync(blobPath(name, descriptor)));
	};
	const configOf = (name: string): Config =>
		parse(readFileSync(blobPath(name, manifestOf(name).config)));

	it("are the same to the byte when they are built again", async () => {
		for (const recipe of await makeRecipes()) {
			const { manifest } = await makeOciImage(recipe, provenance);
			expect(manifest.descriptor, recipe.name).deep.equal(
				images.get(recipe.name)?.manifest.descriptor,
			);
		}
	});

	it("have the same program whenever and wherever it is bundled", async () => {
		const [one, other] = await Promise.all([buildBundle(), buildBundle()]);
		expect(sha256(one.program)).equal(sha256(other.program));
		expect(one.licenceText).equal(other.licenceText);
		expect(one.parts).deep.equal(other.parts);
	});

	it("share their lowest layer", () => {
		const lowest = (name: string): string =>
			manifestOf(name).layers[0]?.digest ?? name;
		expect(lowest("lateen")).equal(lowest("lateen-proxy"));
	});

	for (const { name, user, entrypoint, compressed } of [
		{
			name: "lateen",
			user: "65532:65532",
			entrypoint: "/usr/bin/lateen",
			compressed: 60e6,
		},
		{
			name: "lateen-proxy",
			user: "1337:1337",
			entrypoint: "/usr/bin/envoy",
			compressed: 55e6,
		},
	]) {
		describe(name, () => {
			it("is an OCI image layout whose blobs are what their descriptors say", () => {
				expect(parse(readFileSync(folder.at(name, "oci-layout")))).deep.equal({
					imageLayoutVersion: "1.0.0",
				});
				const index = indexOf(name);
				expect(index.schemaVersion).equal(2);
				expect(index.mediaType).equal(
					"application/vnd.oci.image.index.v1+json",
				);
				const manifests = index.manifests.map((_, at) => manifestOf(name, at));
				for (const manifest of manifests) {
					expect(manifest.schemaVersion).equal(2);
					expect(manifest.mediaType).equal(
						"application/vnd.oci.image.manifest.v1+json",
					);
				}
				const named = [
					...index.manifests,
					...manifests.flatMap(({ config, layers }) => [config, ...layers]),
				];
				for (const descriptor of named) {
					const bytes = readFileSync(blobPath(name, descriptor));
					expect(bytes.length).equal(descriptor.size);
					expect(`sha256:${sha256(bytes)}`).equal(descriptor.digest);
				}
				const blobs = readdirSync(folder.at(name, "blobs/sha256"));
				expect(blobs).have.members([
					...new Set(named.map(({ digest }) => digest.slice(7))),
				]);
			});

			it("says on what it runs, as whom, and what its layers hold", () => {
				const config = configOf(name);
				expect(config.created).equal(created);
				expect([config.os, config.architecture]).deep.equal(["linux", "amd64"]);
				expect(config.config.User).equal(user);
				expect(config.config.Entrypoint).deep.equal([entrypoint]);
				expect(config.rootfs.type).equal("layers");
				expect(config.rootfs.diff_ids).deep.equal(
					manifestOf(name).layers.map((layer) => {
						expect(layer.mediaType).equal(
							"application/vnd.oci.image.layer.v1.tar+gzip",
						);
						const tar = gunzipSync(readFileSync(blobPath(name, layer)));
						return `sha256:${sha256(tar)}`;
					}),
				);
				const key = "org.opencontainers.image";
				expect(config.config.Labels).include({
					[`${key}.version`]: provenance.version,
					[`${key}.revision`]: provenance.revision,
					[`${key}.created`]: created,
				});
				expect(config.config.Labels[`${key}.licenses`]).include("Apache-2.0");
			});

			it("comes with a list of its software that points to it", () => {
				const [image, referrer] = indexOf(name).manifests;
				expect(referrer?.artifactType).equal("application/spdx+json");
				const { subject, artifactType, layers } = manifestOf(name, 1);
				expect(artifactType).equal("application/spdx+json");
				expect(subject?.digest).equal(image?.digest);
				const [attached] = layers;
				if (attached === undefined) throw new Error("Nothing is attached.");
				const bytes = readFileSync(blobPath(name, attached));
				expect(
					bytes.equals(readFileSync(folder.at(`${name}.spdx.json`))),
				).equal(true);
				const { packages } = parse<{
					readonly packages: readonly {
						readonly name: string;
						readonly versionInfo: string;
						readonly licenseDeclared: string;
					}[];
				}>(bytes);
				// Every Debian package that a scanner finds in the files is in the list.
				const records = readdirSync(
					join(rootOf(name), "var/lib/dpkg/status.d"),
				);
				expect(packages.map((one) => one.name)).include.members([
					...records,
					name === "lateen" ? "node" : "envoy",
				]);
				for (const one of packages) {
					expect(one.versionInfo, one.name).match(/\d/);
					expect(one.licenseDeclared, one.name).match(/^\(?[A-Z]/);
				}
			});

			it("is one file for docker load, too", async () => {
				const { stdout } = await run("tar", [
					...["-xOf", folder.at(`${name}.tar`), "manifest.json"],
				]);
				const [entry] =
					parse<
						readonly {
							readonly Config: string;
							readonly RepoTags: readonly string[];
							readonly Layers: readonly string[];
						}[]
					>(stdout);
				const pathOf = ({ digest }: Descriptor): string =>
					`blobs/${digest.replace(":", "/")}`;
				const manifest = manifestOf(name);
				expect(entry).deep.equal({
					Config: pathOf(manifest.config),
					RepoTags: [`${name}:test`],
					Layers: manifest.layers.map(pathOf),
				});
				const { stdout: list } = await run("tar", [
					...["-tf", folder.at(`${name}.tar`)],
				]);
				expect(list.split("\n")).include.members([
					...["oci-layout", "index.json", pathOf(manifest.config)],
					...manifest.layers.map(pathOf),
				]);
			});

			it("has a Dockerfile beside it that adds the same layers in the same order", () => {
				const lines = readFileSync(folder.at(name, "Dockerfile"), "utf8")
					.split("\n")
					.filter((line) => !line.startsWith("#"));
				expect(lines[0]).equal("FROM scratch");
				expect(lines.filter((line) => line.startsWith("ADD "))).deep.equal(
					manifestOf(name).layers.map(
						({ digest }) => `ADD blobs/${digest.replace(":", "/")} /`,
					),
				);
				const { User, Entrypoint, Env, Labels } = configOf(name).config;
				expect(lines).include.members([
					`USER ${User}`,
					`ENTRYPOINT ${JSON.stringify(Entrypoint)}`,
					...Object.entries(Labels).map(
						([label, value]) => `LABEL ${label}=${JSON.stringify(value)}`,
					),
				]);
				expect(
					lines
						.filter((line) => line.startsWith("ENV "))
						.map((line) => line.slice(4).replaceAll('"', "")),
				).deep.equal(Env);
			});

			it("is small, and holds no more programs than it says", () => {
				const size = statSync(folder.at(`${name}.tar`)).size;
				figure(`${name}, compressed`, `${(size / 1e6).toFixed(1)} MB`);
				expect(size).below(compressed);
				const programs = entriesOf(name).flatMap(([path, entry]) =>
					entry.kind === "file" &&
					(entry.mode & 0o111) !== 0 &&
					!/\.so(\.\d+)*$/.test(path)
						? [path]
						: [],
				);
				expect(programs).have.members(
					name === "lateen"
						? ["usr/bin/node", "usr/lib/lateen/lateen.js"]
						: [
								"usr/bin/busybox",
								"usr/bin/envoy",
								"usr/sbin/xtables-legacy-multi",
								"usr/sbin/xtables-nft-multi",
							],
				);
			});

			it("lets nobody become or replace anybody", () => {
				for (const [path, entry] of entriesOf(name)) {
					if (entry.kind === "link") continue;
					expect(entry.mode & 0o6000, `set-user-id of ${path}`).equal(0);
					if (path !== "tmp") {
						expect(entry.mode & 0o022, `others write to ${path}`).equal(0);
					}
					if (path !== "run/lateen") expect(entry.owner ?? 0, path).equal(0);
				}
			});

			it("has every library that something in it asks for", () => {
				const entries = entriesOf(name);
				const there = new Set(entries.map(([path]) => path.split("/").at(-1)));
				for (const [path, entry] of entries) {
					if (entry.kind !== "file") continue;
					for (const library of readElf(entry.bytes)?.needed ?? []) {
						expect(there.has(library), `${library} of ${path}`).equal(true);
					}
				}
			});
		});
	}

	const entriesOf = (
		name: string,
	): ReturnType<Recipe["layers"][number]["tree"]["entries"]> =>
		recipes.get(name)?.layers.flatMap(({ tree }) => tree.entries()) ?? [];

	describe("by themselves", () => {
		if (rootObstacle !== undefined) {
			it.skip(`are not run here. ${rootObstacle}`);
			return;
		}
		/** Runs a program of an image as the image's user, seeing the image only. */
		async function within(
			name: string,
			command: readonly string[],
		): Promise<string> {
			const { User, Env } = configOf(name).config;
			const { stdout } = await run(
				"chroot",
				[`--userspec=${User}`, rootOf(name), ...command],
				{ env: environmentOf(Env) },
			);
			return stdout;
		}

		it("run lateen by its entry point and by its name", async () => {
			const { Entrypoint } = configOf("lateen").config;
			const startMs = performance.now();
			const told = await within("lateen", [...Entrypoint, "version"]);
			figure(
				"lateen version",
				`${(performance.now() - startMs).toFixed(0)} ms`,
			);
			expect(told).equal("lateen 0.1.0 (Node.js 24.21.0)\n");
			expect(await within("lateen", ["lateen", "version"])).equal(told);
		});

		it("trust the authorities of the image's file", async () => {
			const file = join(rootOf("lateen"), "etc/ssl/certs/ca-certificates.crt");
			const shipped = readFileSync(file, "utf8");
			expect(shipped.split("BEGIN CERT").length).above(100);
			const authority = testAuthority();
			const { cert, key } = authority.issue();
			await using server = createServer(
				{ cert, key: key.reveal() },
				(_, response) => response.end("trusted"),
			).listen(0, "127.0.0.1");
			await once(server, "listening");
			const { port } = server.address() as AddressInfo;
			const ask = (): Promise<string> =>
				within("lateen", [
					// With the flags of the program's own first line.
					...firstLineOf(join(rootOf("lateen"), "usr/lib/lateen/lateen.js")),
					"-e",
					`fetch("https://127.0.0.1:${port}").then((r) => r.text(), (e) => e.cause.code).then(console.log)`,
				]);
			expect(await ask()).equal("UNABLE_TO_VERIFY_LEAF_SIGNATURE\n");
			writeFileSync(file, shipped + authority.ca);
			expect(await ask()).equal("trusted\n");
			writeFileSync(file, shipped);
		});

		it("run Envoy", async () => {
			const { Entrypoint } = configOf("lateen-proxy").config;
			expect(
				await within("lateen-proxy", [...Entrypoint, "--version"]),
			).include("/1.40.0/");
			const told = await within("lateen-proxy", [
				...["envoy", "--mode", "validate", "--config-yaml"],
				"{admin: {address: {pipe: {path: /tmp/admin}}}}",
			]);
			expect(told).include("OK");
		});

		it("run both kinds of iptables, for IPv4 and IPv6", async () => {
			for (const family of ["iptables", "ip6tables"]) {
				for (const [infix, kind] of [
					["", "nf_tables"],
					["-nft", "nf_tables"],
					["-legacy", "legacy"],
				]) {
					for (const suffix of ["", "-restore", "-save"]) {
						const told = await within("lateen-proxy", [
							...[`${family}${infix}${suffix}`, "--version"],
						]);
						expect(told).include(`(${kind})`);
					}
				}
			}
		});

		it("capture a pod's traffic as the injector has it done, with two capabilities", async () => {
			const { settings } = injectContext();
			const container = captureContainer(settings, {
				includeInboundPorts: "all",
				excludeInboundPorts: [9100],
				includeOutboundSubnets: "all",
				excludeOutboundSubnets: ["192.0.2.0/24", "2001:db8::/32"],
				includeOutboundPorts: [3306],
				excludeOutboundPorts: [25],
				logLevel: "warning",
				holdsApplication: true,
				sidecar: "native",
				rewritesProbes: true,
				stopDelaySeconds: 5,
				resources: { requests: {}, limits: {} },
			}) as {
				readonly command: readonly string[];
				readonly env: readonly {
					readonly name: string;
					readonly value: string;
				}[];
			};
			const [shell = "", flags = "", script = ""] = container.command;
			const root = rootOf("lateen-proxy");
			for (const given of ["proc", "dev"]) mkdirSync(join(root, given));
			const { stdout } = await run(
				"unshare",
				[
					...["--net", "--mount", "sh", "-ec"],
					'mount --bind /proc "$0/proc"; mount --bind /dev "$0/dev"; exec "$@"',
					root,
					// What the container is given, and what chroot needs.
					...["setpriv", "--inh-caps=-all"],
					"--bounding-set=-all,+net_admin,+net_raw,+sys_chroot",
					...["chroot", root, shell, flags],
					`ip link set lo up\n${script}${script}iptables-save\nip6tables-save\nip address`,
				],
				{
					env: {
						...environmentOf(configOf("lateen-proxy").config.Env),
						// Also where the programs are that get us there.
						PATH: "/usr/bin:/usr/sbin:/bin:/sbin",
						...Object.fromEntries(
							container.env
								.filter(({ name }) => name.endsWith("_RULES"))
								.map(({ name, value }) => [name, value]),
						),
					},
				},
			);
			expect(stdout).include("-A LATEEN_TO_OUTBOUND -p tcp -j REDIRECT");
			expect(stdout).include("-d 192.0.2.0/24 -j RETURN");
			expect(stdout).include("-d 2001:db8::/32 -j RETURN");
			expect(stdout).include("inet6 ::6/128");
		});
	});
});

/** The interpreter of a script, and its flags. */
function firstLineOf(script: string): readonly string[] {
	const [line = ""] = readFileSync(script, "utf8").split("\n", 1);
	return line.slice("#!".length).split(" ");
}

function environmentOf(
	list: readonly string[],
): Readonly<Record<string, string>> {
	return Object.fromEntries(
		list.map((entry) => {
			const at = entry.indexOf("=");
			return [entry.slice(0, at), entry.slice(at + 1)];
		}),
	);
}
