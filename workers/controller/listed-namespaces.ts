/** In which namespaces the objects of a kind were listed: elsewhere nothing may be concluded from one that is missing. */
export class ListedNamespaces {
  readonly #listed = new Set<string | undefined>();

  /** Undefined: in all of them. */
  note(namespace: string | undefined): void {
    this.#listed.add(namespace);
  }

  has(namespace: string): boolean {
    return this.#listed.has(undefined) || this.#listed.has(namespace);
  }
}
