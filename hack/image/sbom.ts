import { architecture, type DebianPin } from "./pins.ts";
import type { Part, Provenance, Recipe } from "./recipe.ts";
import { sha256 } from "./sha256.ts";

/** Which image a list of software is about. */
export interface SbomSubject {
	/** `sha256:…` of its manifest. */
	readonly digest: string;
	/** In RFC 3339. */
	readonly created: string;
}

/** All software of an image, as an SPDX 2.3 document: names, versions, licences, checksums and the names scanners know it by. */
export function sbomOf(
	recipe: Recipe,
	provenance: Provenance,
	subject: SbomSubject,
): unknown {
	const image: Part = {
		name: recipe.name,
		version: provenance.version,
		licence: licenceOf(recipe),
		purl: `pkg:oci/${recipe.name}@${encodeURIComponent(subject.digest)}?arch=${architecture}`,
		checksum: { algorithm: "SHA256", value: subject.digest.slice(7) },
	};
	const parts = partsOf(recipe);
	const contents = sha256(JSON.stringify([image, parts]));
	return {
		spdxVersion: "SPDX-2.3",
		dataLicense: "CC0-1.0",
		SPDXID: "SPDXRef-DOCUMENT",
		name: `${recipe.name}-${provenance.version}`,
		documentNamespace: `https://lateen.dev/spdx/${recipe.name}-${provenance.version}-${contents}`,
		creationInfo: {
			created: subject.created,
			creators: [`Tool: lateen-image-${provenance.version}`],
		},
		documentDescribes: [idOf(image)],
		packages: [
			{ ...packageOf(image), primaryPackagePurpose: "CONTAINER" },
			...parts.map(packageOf),
		],
		relationships: [
			{
				spdxElementId: "SPDXRef-DOCUMENT",
				relationshipType: "DESCRIBES",
				relatedSpdxElement: idOf(image),
			},
			...parts.map((part) => ({
				spdxElementId: idOf(image),
				relationshipType: "CONTAINS",
				relatedSpdxElement: idOf(part),
			})),
		],
	};
}

/** The licences of all that is in an image, as one SPDX expression. */
export function licenceOf(recipe: Recipe): string {
	const single = partsOf(recipe).flatMap(({ licence }) => {
		const bare = licence.replace(/^\((.*)\)$/, "$1");
		return bare.includes(" OR ") ? [`(${bare})`] : bare.split(" AND ");
	});
	return [...new Set(single)].sort().join(" AND ");
}

/** All software of an image but the image itself, by name. */
function partsOf({ layers, parts }: Recipe): readonly Part[] {
	const debian = new Map(
		layers
			.flatMap((layer) => layer.packages)
			.map(({ pin, control }) => [
				pin.name,
				partOfPackage(pin, fieldOf(control, "Architecture")),
			]),
	);
	return [...debian.values(), ...parts].sort((a, b) =>
		a.purl < b.purl ? -1 : 1,
	);
}

function partOfPackage(pin: DebianPin, arch: string): Part {
	const version = encodeURIComponent(pin.version);
	return {
		name: pin.name,
		version: pin.version,
		licence: pin.licence,
		purl: `pkg:deb/debian/${encodeURIComponent(pin.name)}@${version}?arch=${arch}&distro=debian-12`,
		supplier: "Organization: Debian",
		checksum: { algorithm: "SHA256", value: pin.sha256 },
	};
}

function packageOf(part: Part): object {
	return {
		SPDXID: idOf(part),
		name: part.name,
		versionInfo: part.version,
		supplier: part.supplier ?? "NOASSERTION",
		downloadLocation: "NOASSERTION",
		filesAnalyzed: false,
		licenseConcluded: "NOASSERTION",
		licenseDeclared: part.licence,
		copyrightText: "NOASSERTION",
		...(part.checksum && {
			checksums: [
				{
					algorithm: part.checksum.algorithm,
					checksumValue: part.checksum.value,
				},
			],
		}),
		externalRefs: [
			{
				referenceCategory: "PACKAGE-MANAGER",
				referenceType: "purl",
				referenceLocator: part.purl,
			},
		],
	};
}

/** SPDX allows letters, digits, dots and hyphens; the kind keeps packages of one name apart. */
function idOf({ purl, name }: Part): string {
	const kind = /^pkg:([a-z]+)/.exec(purl)?.[1] ?? "";
	return `SPDXRef-${kind}-${name.replace(/[^A-Za-z0-9.-]+/g, "-").replace(/^-/, "")}`;
}

function fieldOf(control: string, field: string): string {
	return new RegExp(`^${field}: (.*)$`, "m").exec(control)?.[1] ?? "";
}
