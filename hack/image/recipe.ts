import type { Layer } from "./layer.ts";
import type { ImageUser } from "./users.ts";

/** A piece of software in an image that is no Debian package. */
export interface Part {
	readonly name: string;
	readonly version: string;
	/** In SPDX's notation. */
	readonly licence: string;
	/** The package URL by which scanners know it. */
	readonly purl: string;
	/** Who it is from, in SPDX's notation. */
	readonly supplier?: string;
	/** Of that which it was made from, where we know it. */
	readonly checksum?: {
		readonly algorithm: "SHA256" | "SHA512";
		readonly value: string;
	};
}

/** All that decides what an image is. Equal recipes give equal images. */
export interface Recipe {
	/** The name it is found by in a registry, without a tag. */
	readonly name: string;
	readonly title: string;
	readonly description: string;
	/** The lowest first. */
	readonly layers: readonly Layer[];
	readonly parts: readonly Part[];
	readonly user: ImageUser;
	readonly entrypoint: readonly string[];
	readonly environment: Readonly<Record<string, string>>;
}

/** Which state of the sources an image is made of. */
export interface Provenance {
	/** The version of Lateen. */
	readonly version: string;
	/** The git commit, with `-dirty` if there were changes; absent outside of git. */
	readonly revision?: string;
	/** When that was committed, in seconds since 1970. */
	readonly createdSeconds: number;
}
