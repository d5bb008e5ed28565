secret_store {
  engine = "shelf"

  shelf {
    folder = "/srv/shelf"
  }
}
