import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { promisify } from "node:util";
import type { Part } from "./recipe.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");

/** The program as the npm package has it, and whose code is in it. */
export interface Bundle {
	readonly version: string;
	readonly program: string;
	/** Lateen itself and every npm package of which something is in the program. */
	readonly parts: readonly Part[];
	/** The licences of them all. */
	readonly licenceText: string;
}

/** Builds the program from the work tree. */
export async function buildBundle(): Promise<Bundle> {
	const folder = await mkdtemp(join(tmpdir(), "lateen-bundle-"));
	try {
		await run(process.execPath, [join(ROOT, "hack/build.ts"), folder]);
		const program = await readFile(join(folder, "lateen.js"), "utf8");
		const map = JSON.parse(
			await readFile(join(folder, "lateen.js.map"), "utf8"),
		) as { readonly sources: readonly string[] };
		const sources = map.sources.map((source) => resolve(folder, source));
		const ours = await describe(ROOT);
		const theirs = await Promise.all(packagesOf(sources).map(describe));
		return {
			version: ours.part.version,
			program,
			parts: [ours.part, ...theirs.map(({ part }) => part)],
			licenceText: [ours, ...theirs]
				.map(
					({ part, text }) =>
						`${part.name} ${part.version}\n\n${text.trim()}\n`,
				)
				.join(`\n${"-".repeat(72)}\n\n`),
		};
	} finally {
		await rm(folder, { recursive: true, force: true });
	}
}

/** The folders of the packages that the sources are from. */
function packagesOf(sources: readonly string[]): readonly string[] {
	const found = new Set<string>();
	for (const source of sources) {
		// The last one counts: a package may have packages of its own.
		const folder = /^.*\/node_modules\/(@[^/]+\/)?[^/]+/.exec(source)?.[0];
		if (folder !== undefined) found.add(folder);
	}
	return [...found].sort();
}

async function describe(
	folder: string,
): Promise<{ readonly part: Part; readonly text: string }> {
	const { name, version, license } = JSON.parse(
		await readFile(join(folder, "package.json"), "utf8"),
	) as {
		readonly name: string;
		readonly version: string;
		readonly license: string;
	};
	const integrity = await integrityOf(relative(ROOT, folder));
	const file = (await readdir(folder)).find((entry) =>
		/^(licen[cs]e|copying)/i.test(entry),
	);
	return {
		part: {
			name,
			version,
			licence: license,
			purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
			...(integrity !== undefined && {
				checksum: { algorithm: "SHA512", value: integrity },
			}),
		},
		text:
			file === undefined
				? `Licence: ${license}`
				: await readFile(join(folder, file), "utf8"),
	};
}

/** The SHA-512 of the package's archive, as the lock file has it. */
async function integrityOf(folder: string): Promise<string | undefined> {
	const { packages } = JSON.parse(
		await readFile(join(ROOT, "package-lock.json"), "utf8"),
	) as {
		readonly packages: Readonly<
			Record<string, { readonly integrity?: string } | undefined>
		>;
	};
	const text = packages[folder]?.integrity;
	if (text?.startsWith("sha512-") !== true) return undefined;
	return Buffer.from(text.slice(7), "base64").toString("hex");
}
