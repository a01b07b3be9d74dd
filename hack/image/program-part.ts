import type { ProgramPin } from "./pins.ts";
import type { Part } from "./recipe.ts";

/** A pinned program as a part of an image. */
export function partOfProgram(pin: ProgramPin): Part {
	const { name, version, licence, purl, supplier } = pin;
	return {
		name,
		version,
		licence,
		purl,
		supplier,
		checksum: { algorithm: "SHA256", value: pin.sha256 },
	};
}
