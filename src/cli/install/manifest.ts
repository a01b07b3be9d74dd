/** An object as it stands in a manifest. */
export interface Manifest {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: ManifestMeta;
	readonly [field: string]: unknown;
}

/** Its metadata. */
export interface ManifestMeta {
	readonly name: string;
	/** Absent for cluster-scoped kinds. */
	readonly namespace?: string;
	readonly labels?: Readonly<Record<string, string>>;
	readonly [field: string]: unknown;
}

/** `Deployment lateen-system/lateen`, for people. */
export function printManifestName({ kind, metadata }: Manifest): string {
	const { namespace, name } = metadata;
	return namespace === undefined
		? `${kind} ${name}`
		: `${kind} ${namespace}/${name}`;
}
