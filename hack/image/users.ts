/** A user of the images. Nothing in them belongs to one, so all they may do is run and read. */
export interface ImageUser {
	readonly name: string;
	/** Its user id, and the id of its group. */
	readonly id: number;
}

/** Whom the controller runs as; the manifests name the same number. */
export const controllerUser: ImageUser = { name: "lateen", id: 65532 };

/** Whom the proxy runs as. Traffic of this user is what the rules of captured pods leave alone, so no application may be it. */
export const proxyUser: ImageUser = { name: "lateen-proxy", id: 1337 };
