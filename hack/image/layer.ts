import type { DebianPackage, DebianPackages } from "./debian-packages.ts";
import { readElf, stripElf } from "./elf.ts";
import { FileTree } from "./file-tree.ts";
import { type DebianName, libraryFolder } from "./pins.ts";

/**
 * One layer of an image: files, and the Debian packages that some of them are
 * from. Layers lie on each other; each is shared by all images that have it.
 */
export class Layer {
	readonly name: string;
	readonly tree = new FileTree();
	readonly #packages = new Map<string, DebianPackage>();
	readonly #debian: DebianPackages;
	readonly #below: readonly Layer[];

	constructor(
		name: string,
		debian: DebianPackages,
		below: readonly Layer[] = [],
	) {
		this.name = name;
		this.#debian = debian;
		this.#below = below;
	}

	/** The Debian packages with a file in this layer. */
	get packages(): readonly DebianPackage[] {
		return [...this.#packages.values()];
	}

	/** Adds a program that is one file, without its debug information. */
	addProgram(path: string, bytes: Buffer): this {
		this.tree.addFile(path, stripElf(bytes), 0o755);
		return this;
	}

	/** Says that something in this layer is made from a Debian package, and hands that. */
	madeFrom(name: DebianName): DebianPackage {
		return this.#use(name);
	}

	/** Adds the files of a Debian package that `isWanted` says yes to; links stay links. What Debian has outside of `usr`, the image has in it. */
	addFromDebian(name: DebianName, isWanted: (path: string) => boolean): this {
		const from = this.#use(name);
		const wanted = [...from.files].filter(([path]) => isWanted(path));
		if (wanted.length === 0) throw new Error(`Nothing of ${name} is wanted.`);
		for (const [path, file] of wanted) {
			const home = path.replace(/^(?=(bin|lib|sbin)\/)/, "usr/");
			if (Buffer.isBuffer(file)) {
				this.tree.addFile(home, file, readElf(file) ? 0o755 : 0o644);
			} else this.tree.addLink(home, file.link);
		}
		return this;
	}

	/** Adds a library by the name that programs ask for it; the same name is its file's. */
	addLibrary(name: string): this {
		for (const [packageName, { files }] of this.#debian) {
			for (const folder of [libraryFolder, libraryFolder.slice(4)]) {
				const path = `${folder}/${name}`;
				const found = files.get(path);
				if (found === undefined) continue;
				this.#use(packageName);
				const bytes = Buffer.isBuffer(found)
					? found
					: files.get(`${folder}/${found.link}`);
				if (!Buffer.isBuffer(bytes)) throw new Error(`${path} leads nowhere.`);
				this.tree.addFile(`${libraryFolder}/${name}`, bytes, 0o755);
				return this;
			}
		}
		throw new Error(`No package in hack/image/pins.ts has ${name}.`);
	}

	/** Adds every library that a file of this layer asks for, that a library asks for, and so on, unless a layer below has it. */
	addNeededLibraries(): this {
		for (;;) {
			const missing = this.#missingLibraries()[0];
			if (missing === undefined) return this;
			this.addLibrary(missing);
		}
	}

	/** Adds what Debian's packages have to say for themselves: their licences, and where scanners look them up. */
	addPackageRecords(): this {
		const below = new Set(
			this.#below.flatMap((layer) => layer.packages.map(({ pin }) => pin.name)),
		);
		for (const { pin, control } of this.packages) {
			if (below.has(pin.name)) continue;
			const folder = pin.copyrightIn ?? pin.name;
			const copyright = this.#debian
				.get(folder)
				?.files.get(`usr/share/doc/${folder}/copyright`);
			if (!Buffer.isBuffer(copyright)) {
				throw new Error(`${pin.name} does not say what its licence is.`);
			}
			this.tree.addFile(`usr/share/doc/${pin.name}/copyright`, copyright);
			this.tree.addFile(`var/lib/dpkg/status.d/${pin.name}`, control);
		}
		return this;
	}

	#missingLibraries(): readonly string[] {
		const there = new Set(
			[...this.#below, this].flatMap(({ tree }) =>
				tree.entries().map(([path]) => path),
			),
		);
		return this.tree
			.entries()
			.flatMap(([, entry]) =>
				entry.kind === "file" ? (readElf(entry.bytes)?.needed ?? []) : [],
			)
			.filter((name) => !there.has(`${libraryFolder}/${name}`))
			.sort();
	}

	#use(name: string): DebianPackage {
		const found = this.#debian.get(name);
		if (found === undefined) throw new Error(`${name} is not pinned.`);
		this.#packages.set(name, found);
		return found;
	}
}
